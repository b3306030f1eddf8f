from connectors.simulator.interactions.frames import Event
from connectors.simulator.interactions.ledger import Ledger
from connectors.simulator.interactions.traffic import Delivery

FIRST = Event("e-1", "c", 1, 2, 3)
SECOND = Event("e-2", "c", 1, 2, 3)


def test_counts_each_frame_as_what_it_is() -> None:
    ledger = Ledger()
    sent = [
        Delivery(0, b"1", FIRST, None, again=False),
        Delivery(0, b"?", None, "not json", again=False),
        Delivery(0, b"1", FIRST, None, again=True),
        Delivery(0, b"2", SECOND, None, again=False),
    ]

    for number, delivery in enumerate(sent):
        ledger.wrote(number, delivery)
    for number, delivery in list(enumerate(sent))[1:3]:  # a second socket
        ledger.wrote(number, delivery)

    assert ledger.counts() == {
        "events_sent": 2,
        "events_redelivered": 2,
        "events_malformed": {"not json": 1},
        "malformed_redelivered": 1,
    }
    assert list(ledger.events()) == [FIRST, SECOND]
