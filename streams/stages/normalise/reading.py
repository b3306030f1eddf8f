"""How normalise reads raw interactions."""

from collections.abc import Callable
from operator import attrgetter

from prometheus_client import Counter

from schemas import compiled
from schemas.frame_fields import InteractionFields
from schemas.records import InteractionCompleted
from schemas.topics import INTERACTIONS_COMPLETED, RAW_INTERACTIONS
from streams.core.raw_frames.frames import Reading
from streams.core.times import EARLIEST, LONGEST_DURATION
from streams.stages.normalise.event import interpreter
from streams.stages.normalise.usual import usual

STAGE = "normalise"

FRAMES = Counter("cxone_normalise_frames", "Raw frames by what became of them.", ["outcome"])
WITHOUT_ID = Counter("cxone_normalise_events_without_id", "Completed interactions that no redelivery is told from.")


def interactions(
    fields: InteractionFields,
    *,
    clock_skew: int,
    encode: Callable[[InteractionCompleted], bytes],
    header: bytes | None = None,
) -> Reading[InteractionCompleted]:
    """Return the reading of a dialect. `clock_skew` in milliseconds.

    `header` is what `encode` begins each record with, if an Avro body follows: usual frames are encoded as they are
    read then, where that is compiled.
    """
    usual_run = None
    if header is not None:
        usual_run = compiled.frames(
            fields,
            topic=INTERACTIONS_COMPLETED.name,
            header=header,
            earliest=EARLIEST,
            clock_skew=clock_skew,
            longest=LONGEST_DURATION,
        )
    interpret = interpreter(fields, clock_skew=clock_skew)
    return Reading(
        stage=STAGE,
        source=RAW_INTERACTIONS.name,
        destination=INTERACTIONS_COMPLETED.name,
        usual_run=usual_run,
        usual=usual(fields, clock_skew=clock_skew),
        kind=fields.kind,
        interpret=lambda frame, record: interpret(frame, record.timestamp),
        key=attrgetter("campaign_id"),
        time=attrgetter("completed_at"),
        id_in_header=False,  # a header of each event costs more than all that is computed of its time
        encode=encode,
        frames=FRAMES,
        without_id=WITHOUT_ID,
    )
