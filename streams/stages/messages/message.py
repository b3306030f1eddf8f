"""A frame of web messaging -> what a guest wrote, or the reason why it is nothing that can be routed."""

from collections.abc import Mapping

from schemas.frame_fields import MessageFields, first, identity
from schemas.records import GuestMessage
from streams.core.contract import Refused
from streams.core.times import EARLIEST, END_OF_TIME, milliseconds

ELSEWHERE = "message elsewhere"
NO_CONVERSATION = "conversation id"
BAD_TEXT = "text"
BAD_TIME = "event time"


def guest_message(frame: Mapping[str, object], received_at: int, *, fields: MessageFields) -> GuestMessage | Refused:
    """Read a frame of the kind EVENT that arrived at `received_at` (ms).

    Without text (attachments have none) it is empty; without a time it was sent when it arrived. A guest's clock may
    be wrong: only what is no time at all is refused. A message that is not in the frame, or not all of it, is refused
    too: nobody shall answer half of what a guest wrote.
    """
    if (missing := fields.missing(frame)) is not None:
        return Refused(ELSEWHERE, missing)
    conversation = identity(frame, fields.conversation_id)
    if conversation is None:
        return Refused(NO_CONVERSATION, "must be text of 1 to 256 characters, or a whole number")
    text = first(frame, fields.text)
    if not isinstance(text, str | None):
        return Refused(BAD_TEXT, f"is a JSON {type(text).__name__}, and no text")
    time = first(frame, fields.sent_at)
    sent_at = received_at if time is None else milliseconds(time)
    if sent_at is None:
        return Refused(BAD_TIME, "is neither ISO 8601 nor a number since the epoch")
    if not EARLIEST <= sent_at < END_OF_TIME:
        return Refused(BAD_TIME, f"{sent_at} ms is not within the years 2000 to 9999")
    return GuestMessage(
        event_id=identity(frame, fields.event_id),
        conversation_id=conversation,
        fingerprint=fields.guest(frame),
        text=text or "",
        queue_id=identity(frame, fields.queue_id) or fields.default_queue,
        sent_at=sent_at,
        received_at=received_at,
    )
