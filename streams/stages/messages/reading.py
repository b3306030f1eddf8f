"""How messages reads raw frames of web messaging."""

from collections.abc import Callable

from prometheus_client import Counter

from schemas.envelope import Record
from schemas.frame_fields import MessageFields
from schemas.records import GuestMessage
from schemas.topics import GUEST_MESSAGES, RAW_MESSAGES
from streams.core.contract import Refused
from streams.core.raw_frames.arrival import received_at
from streams.core.raw_frames.frames import Reading
from streams.stages.messages.message import ELSEWHERE, guest_message

STAGE = "messages"

FRAMES = Counter("cxone_messages_frames", "Raw frames by what became of them.", ["outcome"])
WITHOUT_ID = Counter("cxone_messages_events_without_id", "Guest messages that no redelivery is told from.")
ELSEWHERES = Counter("cxone_messages_elsewhere", "Messages that their frame does not hold whole: dead letters.")


def messages(fields: MessageFields, *, encode: Callable[[GuestMessage], bytes]) -> Reading[GuestMessage]:
    """Return the reading of a dialect."""

    def interpret(frame: dict[str, object], record: Record) -> GuestMessage | Refused:
        message = guest_message(frame, received_at(record), fields=fields)
        if isinstance(message, Refused) and message.reason == ELSEWHERE:
            ELSEWHERES.inc()
        return message

    return Reading(
        stage=STAGE,
        source=RAW_MESSAGES.name,
        destination=GUEST_MESSAGES.name,
        kind=fields.kind,
        interpret=interpret,
        key=lambda message: message.guest,
        encode=encode,
        frames=FRAMES,
        without_id=WITHOUT_ID,
    )
