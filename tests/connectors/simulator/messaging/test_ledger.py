from random import Random

from connectors.simulator.messaging.frames import GuestFrame, Said, frames
from connectors.simulator.messaging.ledger import MessageLedger


def inbound(text: str) -> GuestFrame:
    said = Said.model_validate({"text": text, "conversationId": "c-1"})
    return next(frames(said, 1000, Random(text), redelivered=0, malformed=0))


def test_a_frame_counts_when_it_is_written_for_the_first_time() -> None:
    ledger = MessageLedger()

    ledger.wrote(0, inbound("a"), 5.0)
    ledger.wrote(1, inbound("b"), 6.0)
    ledger.wrote(0, inbound("a"), 7.0)

    counts = ledger.counts()
    assert (counts["inbound"], counts["written_again"]) == (2, 1)
    assert [(message.text, message.written_at) for message in ledger.messages()] == [("a", 5000), ("b", 6000)]
    assert ledger.seconds_since("c-1", "a", 7.5) == 2.5
    assert ledger.seconds_since("c-2", "a", 7.5) is None


def test_forgets_the_oldest() -> None:
    ledger = MessageLedger(kept=2)

    for number in range(3):
        ledger.wrote(number, inbound(str(number)), 0.0)

    assert [message.text for message in ledger.messages()] == ["1", "2"]
    assert [ledger.seconds_since("c-1", str(number), 1.0) for number in range(3)] == [None, 1.0, 1.0]
    assert ledger.counts()["inbound"] == 3
