import pytest

from streams.runtime.errors import TooManyRefusedError
from streams.runtime.refusal_limit import SAMPLE, RefusalLimit


def test_a_share_above_the_limit_stops_and_says_what_to_look_at() -> None:
    limit = RefusalLimit(0.5)
    limit.note(SAMPLE - 1, 400)

    with pytest.raises(TooManyRefusedError, match=r"501 of the last 1100 .*dead letters.*STREAMS_DEAD_LETTER_SHARE"):
        RefusalLimit(0.4).note(1100, 501)
    with pytest.raises(TooManyRefusedError, match=r"501 of the last 1000 "):
        limit.note(1, 101)


def test_a_share_at_the_limit_goes_on() -> None:
    RefusalLimit(0.5).note(SAMPLE, SAMPLE // 2)


def test_few_records_say_nothing() -> None:
    RefusalLimit(0.5).note(SAMPLE - 1, SAMPLE - 1)


def test_each_sample_stands_for_itself() -> None:
    limit = RefusalLimit(0.5)
    for _ in range(5):
        limit.note(SAMPLE, SAMPLE // 2)
    limit.note(SAMPLE, 0)

    with pytest.raises(TooManyRefusedError):
        limit.note(SAMPLE, SAMPLE // 2 + 1)


def test_a_limit_of_one_never_stops() -> None:
    RefusalLimit(1.0).note(10 * SAMPLE, 10 * SAMPLE)
