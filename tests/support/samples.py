"""Records of any type for the kill law: a few keys, times in and out of order, replays, and what nobody can read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, get_args, get_type_hints

from hypothesis import strategies as st

from schemas.dead_letters import DEAD_SOURCE
from schemas.envelope import SOURCE_POSITION, Consumed
from schemas.topics import DEAD_LETTERS
from tests.support.kill_law import START, Broker

HOUR = 3_600_000  # ms
Drawn = tuple[int, str, int, bool, int]

_PLAIN: dict[Any, Any] = {str: "text", int: 1, float: 1.0, bool: False}


def sample(record: type[Any], **given: Any) -> Any:
    """Return a record with `given`, and something plain in its other fields."""
    hints = get_type_hints(record)
    names = [field.name for field in fields(record)] if is_dataclass(record) else list(record.__struct_fields__)
    return record(**{name: given.get(name, _plain(hints[name])) for name in names})


def _plain(kind: Any) -> Any:
    if type(None) in get_args(kind):
        return None
    return _PLAIN[kind] if kind in _PLAIN else sample(kind)


@dataclass(frozen=True)
class Logs:
    """Logs of a stage topic with records of one type, by two raw partitions.

    Args:
        record: the type.
        encode: writes it.
        key, at: names of the fields that the stage goes by.
    """

    record: type[Any]
    encode: Callable[[Any], bytes]
    key: str
    at: str

    def strategy(self) -> st.SearchStrategy[list[Drawn]]:
        """Return lists of (raw partition, key, hours after the start, whether it is garbage, records to repeat)."""
        step = st.tuples(
            st.integers(0, 1),
            st.sampled_from("abc"),
            st.integers(0, 100),
            st.sampled_from([False] * 9 + [True]),
            st.sampled_from([0, 0, 0, 3]),
        )
        return st.lists(step, min_size=1, max_size=30)

    def records(self, drawn: Iterable[Drawn]) -> list[Consumed]:
        """Return the log of what was drawn."""
        log: list[Consumed] = []
        sent: tuple[list[Consumed], list[Consumed]] = [], []
        for raw, key, hours, garbage, repeated in drawn:
            given = {self.key: key, self.at: int(START * 1000) + hours * HOUR}
            value = b"{" if garbage else self.encode(sample(self.record, **given))
            position = ((SOURCE_POSITION, b"%d:%d" % (raw, len(sent[raw]))),)
            sent[raw].append(Consumed(len(log), value, key.encode(), position))
            log.append(sent[raw][-1])
            for again in sent[raw][-repeated:] if repeated else ():
                log.append(Consumed(len(log), again.value, again.key, again.headers))
        return log

    def example(self) -> list[Consumed]:
        """Return a log with a bit of everything."""
        drawn = [(0, "a", 0, False, 0), (1, "b", 1, False, 0), (0, "a", 5, False, 2), (1, "a", 2, True, 0)]
        return self.records([*drawn, (0, "c", 3, False, 0), (1, "b", 9, False, 3)])


def plain_records(broker: Broker) -> list[bytes]:
    """Return the values of the log that a stage must have counted: each source position once, nothing refused."""
    dead = {dict(each.headers)[DEAD_SOURCE] for each in broker.published if each.topic == DEAD_LETTERS.name}
    refused = {source_of(broker.log[int(place.rsplit(b":", 1)[1])]) for place in dead}
    values: dict[bytes, bytes] = {}
    for record in broker.log:
        if source_of(record) not in refused:
            values.setdefault(source_of(record), record.value or b"")
    return list(values.values())


def source_of(record: Consumed) -> bytes:
    """Return the source position of a record, as its header has it."""
    return dict(record.headers)[SOURCE_POSITION]
