"""A sample of each source, read in the dialect as the stages read what comes."""

import time
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import schemas
from connectors.cxone import dialect
from connectors.errors import ConfigurationError
from connectors.settings import DialectSettings, load
from schemas.avro import Codec
from schemas.envelope import DATA_ACTION_PATH, WEBHOOK_PATH, Consumed
from schemas.frame_fields import Kind
from schemas.json_limits import NOT_JSON, Unreadable, read
from schemas.records import AnalyticsEvent, CXoneInteraction, DashboardChange, GuestMessage, InteractionCompleted
from schemas.releases import FileSchemaIds
from streams.core.contract import Refused
from streams.core.raw_frames.frames import Reading
from streams.programs.doctor.findings import Check, Colour, Wrong
from streams.stages.actions.reading import webhooks
from streams.stages.analytics.reading import analytics
from streams.stages.analytics.settings import AnalyticsSettings
from streams.stages.messages.reading import messages
from streams.stages.normalise.reading import interactions
from streams.stages.normalise.settings import NormaliseSettings

MOST = 300  # characters of what was read

USUAL = {  # source -> the package's own sample, under schemas/examples
    "interactions": "cxone.raw.interactions/completed.json",
    "messaging": "cxone.raw.messages/message.json",
    "webhooks": "cxone.raw.webhooks/data-action.json",
    "analytics": "cxone.raw.analytics/event.json",
}
NO_DIALECT = "the dialect or a setting cannot be read"
OF_THE_TENANT = "if your tenant's look otherwise, try one of them: --sample {}=frame.json"
PATHS = "compare the paths in the dialect with it: as it is, it becomes a dead letter"


def checks(given: Mapping[str, Path]) -> list[Check]:
    """Return a check for each source. `given` are files with frames of the tenant's own, by source."""
    return [Check(f"sample of {source}", partial(sample, source, given.get(source))) for source in USUAL]


def sample(source: str, given: Path | None) -> str:
    """Say what a frame is read as: of the package's, or of a file that was given."""
    try:
        reading = _reading(source, dialect.load(load(DialectSettings).dialect))
    except ConfigurationError:
        raise Wrong(NO_DIALECT, "mend that first", colour=Colour.YELLOW) from None
    if given is not None:
        return f"{given} is read as {_read(reading, given, PATHS, Colour.RED)}"
    usual = files(schemas) / "examples" / USUAL[source]
    return f"the package's is read as {_read(reading, usual, OF_THE_TENANT.format(source), Colour.YELLOW)}"


def _read(reading: Reading[Any], path: Traversable, do: str, colour: Colour) -> str:
    try:
        data = path.read_bytes()
    except OSError as missing:
        raise Wrong(f"{path}: {missing.strerror}") from None
    frame = read(data)
    if isinstance(frame, Unreadable):
        raise Wrong(f"{frame.reason}: {frame.detail}", do, colour=colour)
    if not isinstance(frame, dict):
        raise Wrong(f"{NOT_JSON}: a frame is a JSON object", do, colour=colour)
    if (kind := reading.kind(frame)) is not Kind.EVENT:
        what = "a control frame" if kind is Kind.CONTROL else "of a type that nobody asked for"
        raise Wrong(f"it is {what}, and would be passed over", do, colour=Colour.YELLOW)
    headers = ((WEBHOOK_PATH, DATA_ACTION_PATH.encode()),)
    event = reading.interpret(frame, Consumed(0, data, headers=headers, timestamp=time.time_ns() // 1_000_000))
    if isinstance(event, Refused):
        raise Wrong(f"{event.reason}: {event.detail}", do, colour=colour)
    reading.encode(event)
    return str(event)[:MOST]


def _reading(source: str, spoken: dialect.Dialect) -> Reading[Any]:
    codec = Codec(FileSchemaIds())
    match source:
        case "interactions":
            skew, encode = load(NormaliseSettings).clock_skew, codec.encoder(InteractionCompleted)
            return interactions(spoken.interactions.fields.interaction(), clock_skew=int(1000 * skew), encode=encode)
        case "messaging":
            return messages(spoken.messaging.fields.message(), encode=codec.encoder(GuestMessage))
        case "webhooks":
            return webhooks(
                spoken.actions.interaction.action(),
                spoken.actions.dashboard.change(),
                encode_interaction=codec.encoder(CXoneInteraction),
                encode_change=codec.encoder(DashboardChange),
            )
        case _:
            skew, of_events = load(AnalyticsSettings).clock_skew, codec.encoder(AnalyticsEvent)
            return analytics(spoken.analytics.fields.analytics(), clock_skew=int(1000 * skew), encode=of_events)
