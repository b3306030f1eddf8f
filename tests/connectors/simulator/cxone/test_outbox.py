from connectors.simulator.cxone.outbox import Outbox
from connectors.simulator.interactions.traffic import Delivery


def filled(number: int, **bounds: float) -> Outbox[Delivery]:
    outbox = Outbox[Delivery](capacity=int(bounds.get("capacity", 100)), keep=bounds.get("keep", 5.0))
    for due in range(number):
        outbox.append(Delivery(due, b"%d" % due, None, "not json", again=False))
    return outbox


def numbers(outbox: Outbox[Delivery], start: int = 0, most: int = 100) -> list[int]:
    return [number for number, _ in outbox.read(start, most)]


def test_reads_from_a_position_in_portions() -> None:
    outbox = filled(5)

    assert numbers(outbox, 0, 2) == [0, 1]
    assert numbers(outbox, 4, 2) == [4]
    assert numbers(outbox, 5, 2) == []
    assert outbox.read(3, 1)[0][1].body == b"3"


def test_has_room_up_to_its_capacity() -> None:
    assert filled(98, capacity=100).room == 2
    assert filled(100, capacity=100).room == 0


def test_keeps_what_nobody_confirmed_for_ever() -> None:
    outbox = filled(5)

    outbox.forget(1e9)

    assert outbox.unconfirmed == 5
    assert numbers(outbox) == [0, 1, 2, 3, 4]


def test_keeps_what_was_confirmed_for_a_while() -> None:
    outbox = filled(5, keep=5.0)
    outbox.confirm(2, 10.0)
    outbox.confirm(4, 12.0)

    outbox.forget(14.9)
    assert outbox.oldest == 0
    outbox.forget(15.0)
    assert outbox.oldest == 2
    outbox.forget(17.0)
    assert outbox.oldest == 4

    assert outbox.unconfirmed == 1
    assert numbers(outbox) == [4]
    assert outbox.room == 99


def test_an_older_or_impossible_confirmation_changes_nothing() -> None:
    outbox = filled(5)
    outbox.confirm(3, 1.0)

    outbox.confirm(2, 2.0)
    outbox.confirm(6, 2.0)

    assert outbox.unconfirmed == 2
