"""What guests said and what became of it on the sockets, for a judge to compare with what was routed. No I/O."""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass

from connectors.simulator.messaging.frames import GuestFrame

KEPT = 200_000  # messages, about 100 MB; older ones are forgotten


@dataclass(frozen=True, slots=True)
class Message:
    """A guest's message as the truth knows it. `said_at` and `written_at` (to a socket) in ms since the epoch."""

    event_id: str
    conversation_id: str
    fingerprint: object
    queue_id: str | None
    text: str
    said_at: int
    written_at: int


class MessageLedger:
    """Counts frames when they are written for the first time, and keeps the last `kept` messages."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._counts: Counter[str] = Counter()
        self._messages: deque[Message] = deque(maxlen=kept)
        self._written: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._end = 0

    def wrote(self, number: int, frame: GuestFrame, now: float) -> None:
        """Feed it every write, in the order of the outbox's numbers on each socket; `now` in seconds."""
        if number < self._end:
            self._counts["written_again"] += 1
            return
        self._end = number + 1
        self._counts[frame.kind] += 1
        if frame.kind != "inbound":
            return
        said = frame.said
        self._messages.append(
            Message(
                event_id=frame.event_id,
                conversation_id=said.conversation_id,
                fingerprint=said.fingerprint,
                queue_id=said.queue_id,
                text=said.text,
                said_at=frame.said_at,
                written_at=int(now * 1000),
            )
        )
        self._written[said.conversation_id, said.text] = now
        if len(self._written) > self._kept:
            self._written.popitem(last=False)

    def seconds_since(self, conversation_id: str, text: str, now: float) -> float | None:
        """Return how long ago a conversation's message was written to a socket, None when that is not known."""
        written = self._written.get((conversation_id, text))
        return None if written is None else now - written

    def counts(self) -> dict[str, int]:
        """Return frames written by kind, and `written_again`: those that another socket got as well."""
        kinds = ("inbound", "redelivered", "malformed", "outbound", "typing", "written_again")
        return {kind: self._counts[kind] for kind in kinds}

    def messages(self) -> Iterator[Message]:
        """Yield the different inbound messages, in the order of first sending."""
        return iter(self._messages)
