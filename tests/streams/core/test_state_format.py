"""State that may be read, that is migrated, and that is refused with the way out."""

from typing import Any

import orjson
import pytest

from streams.core.contract import Change
from streams.core.state_format import KEY, StateFormat, StateRefusedError

VALUES = {b"": b"meta", b"a": b"1"}


def form(**said: Any) -> StateFormat:
    given: dict[str, Any] = {"version": 2, "partitions": 12, "topics": {"raw": "id-1"}} | said
    return StateFormat(stage="skills", changelog="cxone-skills-values-changelog", source="completed", **given)


def own(**said: Any) -> bytes:
    (change,) = form(**said).changes(VALUES, None, VALUES)
    assert change.value is not None
    return change.value


class Unread(dict[bytes, bytes]):
    """Values that nobody may look at."""

    def _read(self, *_: object) -> Any:
        raise AssertionError("looked at")

    __iter__ = __getitem__ = get = items = keys = values = _read


def test_what_has_not_to_be_migrated_is_not_looked_at_however_much_it_is() -> None:
    values = Unread(VALUES)

    assert form().read(values, own()) is values
    assert form().changes(values, own(), values) == []


def test_where_nothing_is_stored_there_is_nothing_to_refuse() -> None:
    assert form().read({}, None) == {}
    assert form().read({}, orjson.dumps({"version": 99})) == {}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"version": 99}, "written by a newer cxone-streams"),
        ({"version": 1}, "reads version 2"),
        ({"partitions": 6}, "had 6 partitions, and now it has 12"),
        ({"topics": {"raw": "id-0"}}, "raw was deleted and made again"),
    ],
)
def test_what_cannot_be_read_for_what_it_is_is_refused_by_name(said: dict[str, Any], words: str) -> None:
    with pytest.raises(StateRefusedError) as refused:
        form().read(VALUES, own(**said))

    assert words in str(refused.value)
    assert "skills" in str(refused.value)


@pytest.mark.parametrize("said", [{"version": 1}, {"partitions": 6}, {"topics": {"raw": "id-0"}}])
def test_the_way_out_is_named(said: dict[str, Any]) -> None:
    with pytest.raises(StateRefusedError) as refused:
        form().read(VALUES, own(**said))

    for word in ("delete", "cxone-skills-values-changelog", "consumer group cxone-skills"):
        assert word in str(refused.value)


def test_state_that_says_nothing_is_older_than_all() -> None:
    with pytest.raises(StateRefusedError, match="version 0"):
        form().read(VALUES, None)


@pytest.mark.parametrize("unknown", [{"partitions": None}, {"topics": {}}])
def test_what_the_broker_does_not_say_is_not_compared(unknown: dict[str, Any]) -> None:
    assert form(**unknown).read(VALUES, own()) == VALUES
    assert form().read(VALUES, own(**unknown)) == VALUES


def test_older_state_is_migrated_one_version_after_the_other() -> None:
    migrations = {
        0: lambda before: {key: value + b"0" for key, value in before.items()},
        1: lambda before: {key: value + b"1" for key, value in before.items()},
    }

    assert form(migrations=migrations).read(VALUES, None) == {b"": b"meta01", b"a": b"101"}
    assert form(migrations=migrations).read(VALUES, own(version=1)) == {b"": b"meta1", b"a": b"11"}


def test_what_was_migrated_is_written_before_the_form_says_so() -> None:
    new = form(migrations={1: lambda before: {b"": before[b""] + b"1"}})
    old = own(version=1)

    migrated, gone, said = new.changes(VALUES, old, new.read(VALUES, old))

    assert migrated == Change(b"", b"meta1")
    assert gone == Change(b"a", None)
    assert (said.key, orjson.loads(said.value or b"")["version"]) == (KEY, 2)


def test_where_the_form_is_as_it_should_be_nothing_is_written() -> None:
    assert form().changes(VALUES, own(), VALUES) == []


def test_a_form_that_is_no_json_is_refused() -> None:
    with pytest.raises(StateRefusedError, match="no JSON"):
        form().read(VALUES, b"{")


def test_what_the_broker_does_not_say_now_stays_known() -> None:
    known = form(partitions=None, topics={}).changes(VALUES, own(), VALUES)

    assert known == []
