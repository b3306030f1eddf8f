"""How the stage reads raw frames of the analytics socket."""

from collections.abc import Callable
from operator import attrgetter

from prometheus_client import Counter

from schemas.envelope import Record
from schemas.frame_fields import AnalyticsFields
from schemas.records import AnalyticsEvent
from schemas.topics import ANALYTICS_EVENTS, RAW_ANALYTICS
from streams.core.contract import Refused
from streams.core.raw_frames.frames import Reading
from streams.stages.analytics.event import has_id, interpreter

STAGE = "analytics"

FRAMES = Counter("cxone_analytics_frames", "Raw frames by what became of them.", ["outcome"])
WITHOUT_ID = Counter("cxone_analytics_events_without_id", "Events without an id of CXone's, told by their bytes.")


def analytics(
    fields: AnalyticsFields, *, clock_skew: int, encode: Callable[[AnalyticsEvent], bytes]
) -> Reading[AnalyticsEvent]:
    """Return the reading of a dialect. `clock_skew` in milliseconds."""
    read = interpreter(fields, clock_skew=clock_skew)

    def interpret(frame: dict[str, object], record: Record) -> AnalyticsEvent | Refused:
        if not has_id(frame, fields):
            WITHOUT_ID.inc()
        return read(frame, record.value or b"", record.timestamp)

    return Reading(
        stage=STAGE,
        source=RAW_ANALYTICS.name,
        destination=ANALYTICS_EVENTS.name,
        kind=fields.kind,
        interpret=interpret,
        key=attrgetter("key"),
        encode=encode,
        time=attrgetter("timestamp"),
        frames=FRAMES,
        without_id=WITHOUT_ID,
    )
