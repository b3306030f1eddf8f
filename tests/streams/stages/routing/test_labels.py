"""Queues as labels."""

from streams.stages.routing.labels import LONGEST, MOST, OTHER, Labels


def test_the_first_queues_have_labels_of_their_own_for_ever() -> None:
    label = Labels()

    first = [label(f"queue-{number}") for number in range(MOST)]
    later = {label(f"queue-{number}") for number in range(MOST, 20_000)}

    assert first == [f"queue-{number}" for number in range(MOST)]
    assert later == {OTHER}
    assert label("queue-0") == "queue-0"


def test_a_long_name_takes_nobodys_place() -> None:
    label = Labels()

    assert label("x" * (LONGEST + 1)) == OTHER
    assert label("x" * LONGEST) == "x" * LONGEST
