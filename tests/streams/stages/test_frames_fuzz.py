"""Frames with anything at any of a dialect's paths, through connectors and stages: each becomes one thing that counts.

`FUZZ_FRAMES` says how many (2,000; 100,000 in `make faults`), `SEED` which ones.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from random import Random
from typing import Any

import orjson
import pytest

from connectors.cxone.connection import Frame
from connectors.cxone.dialect import load
from connectors.ingress import analytics as analytics_socket
from connectors.ingress import interactions as interactions_socket
from connectors.ingress import messaging as messages_socket
from connectors.ingress.raw_record import Feed, outgoing
from schemas.avro import Codec
from schemas.dead_letters import DEAD_REASON
from schemas.envelope import DASHBOARD_PATH, DATA_ACTION_PATH, RECEIVED_AT, WEBHOOK_PATH, Consumed, Headers
from schemas.frame_fields import ActionFields, AnalyticsFields, ChangeFields, InteractionFields, MessageFields
from schemas.json_limits import NOT_JSON, TOO_DEEP, TOO_LONG
from schemas.records import AnalyticsEvent, CXoneInteraction, DashboardChange, GuestMessage, InteractionCompleted
from schemas.releases import FileSchemaIds
from schemas.topics import DEAD_LETTERS
from streams.core.contract import Chunk
from streams.core.raw_frames.frames import CONTROL, OTHER, REDELIVERED, REFUSED, Frames, Reading
from streams.stages.actions.reading import webhooks
from streams.stages.analytics.reading import analytics
from streams.stages.messages.reading import messages
from streams.stages.normalise.reading import interactions

FRAMES = int(os.environ.get("FUZZ_FRAMES", "2000"))
SEED = int(os.environ.get("SEED", "1"))
NOW = 1_795_250_400_000  # ms
CHUNK = 100

DIALECT, CODEC = load("v2"), Codec(FileSchemaIds())
INTERACTION, MESSAGE = DIALECT.interactions.fields.interaction(), DIALECT.messaging.fields.message()
ANALYTICS = DIALECT.analytics.fields.analytics()
ACTION, CHANGE = DIALECT.actions.interaction.action(), DIALECT.actions.dashboard.change()

Path = tuple[str, ...]


def paths(of: ActionFields | AnalyticsFields | ChangeFields | InteractionFields | MessageFields) -> list[Path]:
    found: list[Path] = []
    for field in fields(of):
        value = getattr(of, field.name)
        if isinstance(value, tuple) and value and isinstance(value[0], tuple):
            found += value
    if isinstance(of, MessageFields):
        found += [(*path, part) for path in of.fingerprint for part in of.fingerprint_parts]
    return found


@dataclass(frozen=True)
class Way:
    """A way in: its stage, its connector if frames come by a socket, and a frame that is an event."""

    name: str
    reading: Reading[Any]
    feed: Feed | None
    at: list[Path]
    usual: dict[str, Any]
    headers: Headers = ()


WAYS = [
    Way(
        "interactions",
        interactions(
            INTERACTION,
            clock_skew=600_000,
            encode=CODEC.encoder(InteractionCompleted),
            header=CODEC.header(InteractionCompleted),
        ),
        interactions_socket.feed(INTERACTION),
        paths(INTERACTION),
        {
            "type": "interaction.completed",
            "timestamp": NOW,
            "payload": {"interactionId": "i", "campaignId": "c", "handleTime": 1.5, "waitTime": 2},
        },
    ),
    Way(
        "messages",
        messages(MESSAGE, encode=CODEC.encoder(GuestMessage)),
        messages_socket.feed(MESSAGE),
        paths(MESSAGE),
        {"type": "message", "direction": "inbound", "conversationId": "c", "text": "hello", "timestamp": NOW},
    ),
    Way(
        "analytics",
        analytics(ANALYTICS, clock_skew=600_000, encode=CODEC.encoder(AnalyticsEvent)),
        analytics_socket.feed(ANALYTICS),
        [*paths(ANALYTICS), ("metadata", "any")],
        {"eventType": "interaction", "interactionId": "i", "timestamp": NOW, "metrics": {"handleTime": 1}},
    ),
    *(
        Way(
            path,
            webhooks(
                ACTION,
                CHANGE,
                encode_interaction=CODEC.encoder(CXoneInteraction),
                encode_change=CODEC.encoder(DashboardChange),
            ),
            None,
            paths(of),
            {"id": "i", "dashboardId": "d"},
            ((WEBHOOK_PATH, path.encode()),),
        )
        for path, of in ((DATA_ACTION_PATH, ACTION), (DASHBOARD_PATH, CHANGE))
    ),
]


def nested(random: Random) -> bytes:
    depth = random.choice((1, 3, 30, 63, 64, 65, 250, 260, 900, 1000, 1030, 5000))
    opening, closing = random.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"ip":', b"}]")))
    return opening * depth + random.choice((b"1", b'"a"', b"null")) + closing * depth


def digits(random: Random) -> bytes:
    number = b"9" * random.choice((1, 15, 19, 20, 39, 308, 309, 400, 1001, 5000))
    return random.choice((b"%b", b"-%b", b"0.%b", b"%be-5", b"1e%b", b'"%b"')) % number


def text(random: Random) -> bytes:
    characters = "".join(chr(random.choice((random.randrange(128), random.randrange(0xD800)))) for _ in range(9))
    longer = random.choice((1, 1, 1, 1, 1, 1, 28, 29, 1000))
    return orjson.dumps(random.choice(("", "\0", characters, "a" * 256, "a" * 257, "message", "inbound")) * longer)


def many(random: Random) -> bytes:
    number = random.choice((0, 1, 99, 101, 10_000, 10_001))
    return orjson.dumps([0] * number if random.random() < 0.5 else dict.fromkeys(map(str, range(number)), "a"))


def plain(random: Random) -> bytes:
    times = ("2026-11-21T10:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "soon", NOW, NOW + 10**9)
    return orjson.dumps(
        random.choice((None, True, False, 0, -1, 1.5, -0.0, 1e300, 2**63, 2**64 - 1, [], {}, *times, "interaction"))
    )


def broken(random: Random) -> bytes:
    return random.choice(
        (b"", b"NaN", b"Infinity", b"1e999", b'"\\ud800"', b'"\xff"', b"[", b"{", b"'a'", b"01", b"\0")
    )


VALUES: list[Callable[[Random], bytes]] = [plain, plain, plain, text, text, digits, nested, many, broken]


def made(random: Random, way: Way) -> bytes:
    """Return a frame; values are put in as text, for JSON libraries read what they do not write."""
    frame: dict[str, Any] = orjson.loads(orjson.dumps(way.usual | {"eventId": str(random.getrandbits(40))}))
    places: list[bytes] = []
    for path in random.sample(way.at, random.choice((0, 1, 1, 2, 3))):
        inside = frame
        for key in path[:-1]:
            if not isinstance(inside.get(key), dict):
                inside[key] = {}
            inside = inside[key]
        inside[path[-1]] = f"@{len(places)}@"
        places.append(random.choice(VALUES)(random))
    data = orjson.dumps(frame)
    for number, value in enumerate(places):
        data = data.replace(b'"@%d@"' % number, value)
    if random.random() < 0.02:
        data = data[: random.randrange(len(data) + 1)]
    return data


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_every_frame_is_an_event_a_dead_letter_or_counted_as_another(way: Way) -> None:
    random = Random(f"{SEED} {way.name}")
    core: Frames[Any] = Frames(0, {}, horizon=86_400_000, reading=way.reading)
    reasons: dict[bytes, int] = {}
    events = others = 0

    for first in range(0, FRAMES // len(WAYS), CHUNK):
        frames = [made(random, way) for _ in range(CHUNK)]
        if way.feed is not None:
            for number, data in enumerate(frames):
                record = outgoing(Frame(data, "c", number, NOW), way.feed)
                assert record.value == data
                assert record.topic in {way.feed.topic.name, DEAD_LETTERS.name}
        headers = ((RECEIVED_AT, b"%d" % NOW), *way.headers)
        raw = [Consumed(first + number, data, b"k", headers, NOW) for number, data in enumerate(frames)]
        counted = {
            outcome: way.reading.frames.labels(outcome)._value.get() for outcome in (CONTROL, OTHER, REDELIVERED)
        }

        refused = core.fold(Chunk(way.reading.source, 0, raw))

        outputs = core.flush(0, seal=True).outputs
        letters = [output for output in outputs if output.topic == DEAD_LETTERS.name]
        let_go = sum(way.reading.frames.labels(outcome)._value.get() - before for outcome, before in counted.items())
        assert len(letters) == refused
        assert len(outputs) + let_go == CHUNK
        assert {letter.value for letter in letters} <= set(frames)
        for letter in letters:
            reason = dict(letter.headers)[DEAD_REASON] or b""
            reasons[reason] = reasons.get(reason, 0) + 1
        events, others = events + len(outputs) - len(letters), others + int(let_go)

    print(f"{way.name}: {events} events, {others} others, dead letters {reasons}")  # noqa: T201 - what `make faults` shows
    assert events
    assert {NOT_JSON.encode(), TOO_DEEP.encode(), TOO_LONG.encode()} <= reasons.keys()
    assert way.reading.frames.labels(REFUSED)._value.get() >= sum(reasons.values())
