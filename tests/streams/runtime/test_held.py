"""What is folded and not acknowledged, and what it costs to hold it."""

from dataclasses import dataclass, field

from streams.core.contract import Flush
from streams.runtime.held import Held, HeldChunk


@dataclass
class Event:
    place: tuple[str, int, int]
    acknowledged: list[tuple[str, int, int]]

    def ack(self) -> None:
        self.acknowledged.append(self.place)


class Looked(int):
    """An offset that counts how often it is compared."""

    times = 0

    def __le__(self, other: object) -> bool:
        Looked.times += 1
        return int(self) <= other  # type: ignore[operator]

    def __gt__(self, other: object) -> bool:
        Looked.times += 1
        return int(self) > other  # type: ignore[operator]


@dataclass
class Rig:
    held: Held = field(default_factory=Held)
    acknowledged: list[tuple[str, int, int]] = field(default_factory=list)

    def add(self, partition: int, *offsets: int, topic: str = "a") -> None:
        for last in offsets:
            event = Event((topic, partition, last), self.acknowledged)
            self.held.add(HeldChunk(event, topic, partition, Looked(last), records=1, bytes=10, since=None))

    def flush(self, **reached: int) -> list[tuple[str, int, int]]:
        """Flush partition 0 up to offsets by topic; return what is acknowledged."""
        self.acknowledged.clear()
        self.held.acknowledge(self.held.take([0]), {0: Flush(reached=reached or None)})
        return [*self.acknowledged]


def test_what_a_flush_has_settled_is_acknowledged_and_the_rest_is_held_in_order() -> None:
    rig = Rig()
    rig.add(0, 3, 5, 9)
    rig.add(0, 4, topic="b")

    assert rig.flush(a=4, b=1) == [("a", 0, 3)]
    assert (rig.held.records, rig.held.bytes) == (3, 30)
    assert rig.flush(a=9) == [("a", 0, 5), ("a", 0, 9)], "of a topic that is not named nothing is settled"
    assert rig.flush() == [("b", 0, 4)], "a flush that names none settles all"
    assert (rig.held.records, rig.held.bytes) == (0, 0)


def test_what_comes_during_a_flush_is_not_of_it_and_stands_behind_what_was_held() -> None:
    rig = Rig()
    rig.add(0, 3, 5)
    taken = rig.held.take([0])
    rig.add(0, 7)

    rig.held.acknowledge(taken, {0: Flush(reached={"a": 3})})
    assert rig.acknowledged == [("a", 0, 3)]
    assert rig.flush(a=7) == [("a", 0, 5), ("a", 0, 7)]


def test_a_flush_that_is_not_written_acknowledges_nothing_later() -> None:
    rig = Rig()
    rig.add(0, 3)
    rig.held.take([0])  # and then the delivery is withdrawn

    assert rig.flush() == []


def test_other_partitions_are_left_alone() -> None:
    rig = Rig()
    rig.add(0, 3)
    rig.add(1, 3)

    assert rig.flush() == [("a", 0, 3)]
    assert rig.held.records == 1


def test_a_flush_that_settles_nothing_does_not_look_at_all_that_is_held() -> None:
    """While a sink is away each chunk that comes flushes: a look at every one of those before took a core."""
    rig = Rig()
    rig.add(0, *range(1, 1001))

    Looked.times = 0
    for last in range(1001, 1101):
        rig.add(0, last)
        assert rig.flush(a=0) == []

    assert Looked.times <= 200
