"""A changelog is read when its end is passed and what came is applied, whether a record ends it or not."""

from faust.types import TP

from streams.runtime.driver.changelog_reading import ChangelogReading

HERE = TP("changelog", 0)


def reading(position: int = 0) -> ChangelogReading:
    made = ChangelogReading()
    made.begin(HERE, position)
    return made


def test_an_end_without_a_record_is_passed() -> None:
    changelog = reading()

    assert changelog.passed(HERE, 0, 9, last=7)  # 8 is the marker of a commit

    assert not changelog.nothing_left(HERE, 9, applied=6)
    assert changelog.nothing_left(HERE, 9, applied=7)
    assert not changelog.nothing_left(HERE, 10, applied=7)


def test_aborted_records_at_the_end_are_passed_without_any() -> None:
    changelog = reading(5)

    assert changelog.passed(HERE, 5, 20)
    assert changelog.nothing_left(HERE, 20, applied=4)


def test_a_fetch_from_before_the_seek_counts_for_nothing() -> None:
    changelog = reading(5)

    assert not changelog.passed(HERE, 90, 100)
    assert not changelog.passed(HERE, None, 100)
    assert not changelog.passed(HERE, 2, 5)
    assert not changelog.nothing_left(HERE, 100, applied=4)


def test_nothing_is_known_of_what_is_not_read() -> None:
    changelog = ChangelogReading()

    assert not changelog.passed(HERE, 0, 9)
    assert not changelog.nothing_left(HERE, 1, applied=-1)


def test_a_new_recovery_begins_anew() -> None:
    changelog = reading()
    changelog.passed(HERE, 0, 9, last=8)

    changelog.begin(HERE, 3)

    assert not changelog.nothing_left(HERE, 9, applied=8)
