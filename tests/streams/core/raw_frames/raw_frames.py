"""Raw frames for the tests of normalise, and what becomes of them."""

from dataclasses import replace

import orjson
from prometheus_client import REGISTRY

from connectors.cxone import dialect
from schemas.avro import Codec
from schemas.envelope import Consumed, Headers, Outgoing
from schemas.records import InteractionCompleted
from schemas.releases import FileSchemaIds
from streams.core.contract import Chunk, Flush
from streams.core.raw_frames.frames import Frames
from streams.stages.normalise.reading import interactions

CODEC = Codec(FileSchemaIds())
FIELDS = dialect.load("v2").interactions.fields.interaction()
SLICE = 300_000  # ms
READING = replace(
    interactions(FIELDS, clock_skew=600_000, encode=CODEC.encoder(InteractionCompleted)), id_in_header=True
)
HORIZON = 3 * SLICE
NOW = 1_795_250_400_000  # ms

RECEIVED: Headers = (("cxone-source", b"interactions:7"), ("cxone-received-at", b"1"))
PAYLOAD = {"campaignId": "sales", "handleTime": 312, "waitTime": 12.5}


def frames(stored: dict[bytes, bytes] | None = None) -> Frames[InteractionCompleted]:
    return Frames(4, stored or {}, horizon=HORIZON, reading=READING)


def raw(offset: int, content: object, *, at: int = NOW) -> Consumed:
    value = content if isinstance(content, bytes) else orjson.dumps(content)
    return Consumed(offset, value, b"i-1", RECEIVED, at)


def completed(event_id: object = "e-1", **payload: object) -> dict[str, object]:
    return {"eventId": event_id, "timestamp": NOW, "payload": PAYLOAD | payload}


def fold(stage: Frames[InteractionCompleted], *records: Consumed) -> int:
    return stage.fold(Chunk("cxone.raw.interactions", 4, records))


def outputs(*records: Consumed) -> list[Outgoing]:
    stage = frames()
    fold(stage, *records)
    return stage.flush(0.0, seal=False).outputs


def frames_counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("cxone_normalise_frames_total", {"outcome": outcome}) or 0.0


def store(changelog: dict[bytes, bytes], flush: Flush) -> None:
    for change in flush.seal:
        if change.value is None:
            changelog.pop(change.key, None)
        else:
            changelog[change.key] = change.value
