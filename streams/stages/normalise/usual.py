"""The usual frame, decoded straight into a completed interaction: a third of what looking at every frame costs.

A frame is usual when each field is at the first of its paths and has its plain type; durations are numbers. Whatever
is not, and whatever is to be refused, is left to `event.py`, which says why; what is accepted here, it would accept
with the same result (tests hold both to that). Parts of a frame that no path leads to are passed over, not judged.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec

from schemas.frame_fields import LONGEST_ID, DurationForm, InteractionFields, Path
from schemas.records import LONGEST_CAMPAIGN, InteractionCompleted
from streams.core.raw_frames.frames import nothing_is_usual
from streams.core.times import EARLIEST, LONGEST_DURATION, milliseconds

DURATION = Annotated[float, msgspec.Meta(ge=0, le=LONGEST_DURATION)]
Usual = Callable[[bytes, int], InteractionCompleted | None]


def usual(fields: InteractionFields, *, clock_skew: int) -> Usual:
    """Return `(value, arrived) -> interaction, or None when the frame is not the usual one`. Times in milliseconds."""
    if fields.durations is not DurationForm.SECONDS:
        return nothing_is_usual
    wanted: list[tuple[Path, Any]] = [
        (fields.completed_at[0], str),
        (fields.event_id[0], _text(LONGEST_ID)),
        (fields.campaign_id[0], _text(LONGEST_CAMPAIGN)),
        (fields.handle_time[0], DURATION),
        (fields.wait_time[0], DURATION),
    ]
    shape = _shape(dict([*wanted, (fields.event_type[0], Literal[fields.completed_types])]))
    decode: Callable[[bytes], object] = msgspec.json.Decoder(shape).decode
    parts = attrgetter(*(".".join(map(_attribute, path)) for path, _ in wanted))

    def read(value: bytes, arrived: int) -> InteractionCompleted | None:
        try:
            if not value.isascii():
                value.decode()  # msgspec passes over what is no text in parts that nobody reads
            time, event_id, campaign, handle, wait = parts(decode(value))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        at = milliseconds(time)
        if at is None or not EARLIEST <= at <= arrived + clock_skew:
            return None
        return InteractionCompleted(event_id, campaign, handle, wait, at)

    return read


def _text(longest: int) -> Any:
    return Annotated[str, msgspec.Meta(min_length=1, max_length=longest)]


def _shape(types: Mapping[Path, Any]) -> type:
    """Return a struct that has these types at these paths, and ignores everything else."""
    below: dict[str, dict[Path, Any]] = {}
    for (key, *rest), type_ in types.items():
        below.setdefault(key, {})[tuple(rest)] = type_
    return msgspec.defstruct(
        "Frame",
        [(_attribute(key), inner[()] if () in inner else _shape(inner)) for key, inner in below.items()],
        rename={_attribute(key): key for key in below},
        gc=False,
    )


def _attribute(key: str) -> str:
    """Return a name for a key, which may hold anything."""
    return f"key_{key.encode().hex()}"
