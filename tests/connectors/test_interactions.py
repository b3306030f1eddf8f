"""Every frame reaches Kafka as it came, once Kafka takes it, and not more of them are held than agreed."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from pydantic import SecretStr
from structlog.testing import capture_logs

from connectors.connection import Frame
from connectors.dialect import load
from connectors.errors import AuthorizationError, PublishError
from connectors.interactions import LARGEST_FRAME, Inbox, connect, opening, outgoing
from connectors.publisher import RecordingPublisher
from schemas.records import Outgoing

DIALECT = load("v2").interactions
FIELDS = DIALECT.fields.interaction()


def frame(data: bytes, number: int = 0) -> Frame:
    return Frame(data, "c0ffee", number, 1_700_000_000_123)


def event(number: int, key: str = "i-1") -> Frame:
    content = {"eventId": f"e-{number}", "type": "interaction.completed", "payload": {"interactionId": key}}
    return frame(orjson.dumps(content), number)


class SlowPublisher(RecordingPublisher):
    """Kafka away: acknowledges nothing until `back` is set. Counts the calls."""

    def __init__(self) -> None:
        super().__init__()
        self.back = asyncio.Event()
        self.calls = 0

    async def publish(self, records: Sequence[Outgoing]) -> Any:
        self.calls += 1
        await self.back.wait()
        return await super().publish(records)


class Connector:
    """The connector between a list of frames and a publisher."""

    def __init__(self, publisher: RecordingPublisher, frames: Sequence[Frame], inbox: Inbox | None = None) -> None:
        self.inbox = inbox or Inbox()
        self.publisher = publisher
        self.stop = asyncio.Event()
        self.read = 0
        self.closed = False
        self._frames = frames

    async def listen(self) -> None:
        try:
            for one in self._frames:
                await self.inbox.put(one)
                self.read += 1
            await asyncio.Event().wait()
        finally:
            self.closed = True

    async def run(self, flush_within: float = 5.0) -> int:
        return await connect(self.listen, self.inbox, self.publisher, FIELDS, stop=self.stop, flush_within=flush_within)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0)


async def idle() -> None:
    """Let everything go as far as it can."""
    for _ in range(100):
        await asyncio.sleep(0)


def header(record: Outgoing, name: str) -> str | None:
    values = [value.decode() for key, value in record.headers if key == name]
    return values[0] if values else None


def test_a_frame_becomes_its_own_bytes_under_the_interaction_s_id() -> None:
    data = b' {"payload": {"interactionId": "i-7", "contactId": 12}, "eventId": "e-9"}\n'

    assert outgoing(frame(data), FIELDS) == Outgoing(
        "cxone.raw.interactions",
        b"i-7",
        data,
        (
            ("cxone-source", b"interactions"),
            ("cxone-received-at", b"1700000000123"),
            ("cxone-connection-id", b"c0ffee"),
            ("cxone-event-id", b"e-9"),
        ),
    )


@pytest.mark.parametrize(
    ("content", "key", "event_id"),
    [
        ({"eventId": "e", "payload": {"interactionId": "i", "contactId": "c"}}, b"i", "e"),
        ({"eventId": "e", "payload": {"contactId": 12}}, b"12", "e"),
        ({"eventId": "e"}, b"e", "e"),
        ({"payload": {"contactId": "ç"}}, "ç".encode(), "ç"),
        ({"type": "subscription.confirmed"}, None, None),
        ({"eventId": "x" * 257, "payload": "text"}, None, None),
        ({}, None, None),
    ],
)
def test_the_key_is_the_first_id_there_is(content: dict[str, Any], key: bytes | None, event_id: str | None) -> None:
    record = outgoing(frame(orjson.dumps(content)), FIELDS)

    assert (record.topic, record.key) == ("cxone.raw.interactions", key)
    assert header(record, "cxone-event-id") == event_id


@pytest.mark.parametrize(
    ("data", "reason", "detail"),
    [
        (b"", "not JSON", ""),
        (b"ping", "not JSON", "line 1"),
        (b'{"payload": ', "not JSON", "line 1"),
        (b'{"a": NaN}', "not JSON", "line 1"),
        (b'{"a": "\xff"}', "not JSON", "UTF-8"),
        (b"[1]", "not a JSON object", "JSON list"),
        (b"null", "not a JSON object", "JSON NoneType"),
        (b'"text"', "not a JSON object", "JSON str"),
        (b'{"a": "%s"}' % (b"x" * LARGEST_FRAME), "too large", "900009 bytes"),
    ],
)
def test_other_frames_become_dead_letters_with_a_reason(data: bytes, reason: str, detail: str) -> None:
    record = outgoing(frame(data, 42), FIELDS)

    assert (record.topic, record.key, record.value) == ("cxone.dead-letters", None, data[:LARGEST_FRAME])
    assert header(record, "cxone-dead-reason") == reason
    assert detail in (header(record, "cxone-dead-detail") or "")
    assert header(record, "cxone-dead-stage") == "connect interactions"
    assert header(record, "cxone-dead-source") == "socket:c0ffee:42"
    assert header(record, "cxone-received-at") == "1700000000123"
    assert header(record, "cxone-dead-truncated") == (str(len(data)) if len(data) > LARGEST_FRAME else None)


@given(st.binary())
def test_any_bytes_become_a_record_with_these_bytes(data: bytes) -> None:
    assert outgoing(frame(data), FIELDS).value == data


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_values_in_the_places_of_ids_are_survived(value: object) -> None:
    data = json.dumps({"eventId": value, "payload": {"interactionId": value, "contactId": value}}).encode()

    assert outgoing(frame(data), FIELDS).value == data


def test_the_socket_begins_with_the_token_in_the_query_and_the_subscription() -> None:
    begin = opening("wss://acme.example/api/v2/events?tenant=a+b&x=", DIALECT.socket)

    beginning = begin(SecretStr("t&=+/%"))

    assert parse_qs(urlsplit(beginning.url).query, keep_blank_values=True) == {
        "tenant": ["a b"],
        "x": [""],
        "access_token": ["t&=+/%"],
    }
    assert beginning.url.startswith("wss://acme.example/api/v2/events?")
    assert beginning.messages == ('{"subscription":["interaction.completed"]}',)


async def test_frames_are_delivered_in_order_and_stopping_is_clean() -> None:
    publisher = RecordingPublisher()
    connector = Connector(publisher, [event(n) for n in range(10)])
    running = asyncio.create_task(connector.run())

    await until(lambda: len(publisher.records) == 10)
    connector.stop.set()

    assert await running == 0
    assert connector.closed
    assert [header(record, "cxone-event-id") for record in publisher.records] == [f"e-{n}" for n in range(10)]


async def test_what_arrives_while_kafka_answers_goes_as_one_batch() -> None:
    publisher = SlowPublisher()
    connector = Connector(publisher, [event(n) for n in range(1000)])
    running = asyncio.create_task(connector.run())

    await until(lambda: connector.read == 1000)
    publisher.back.set()
    await until(lambda: len(publisher.records) == 1000)
    connector.stop.set()

    assert await running == 0
    assert publisher.calls <= 2


async def test_reading_stops_at_the_bound_while_kafka_is_away_and_nothing_is_lost() -> None:
    publisher = SlowPublisher()
    connector = Connector(publisher, [event(n) for n in range(100)], Inbox(max_frames=10))
    running = asyncio.create_task(connector.run())

    await until(lambda: connector.read == 10)
    await idle()
    assert connector.read == 10
    assert REGISTRY.get_sample_value("cxone_interactions_in_flight") == 11  # one has been read and waits for room

    publisher.back.set()
    await until(lambda: len(publisher.records) == 100)
    connector.stop.set()

    assert await running == 0
    assert [record.value for record in publisher.records] == [event(n).data for n in range(100)]


async def test_bytes_are_bounded_as_well_as_frames() -> None:
    large = frame(b'{"a": "%s"}' % (b"x" * 1000))
    publisher = SlowPublisher()
    connector = Connector(publisher, [large] * 100, Inbox(max_bytes=5000))
    running = asyncio.create_task(connector.run())

    await until(lambda: connector.read == 5)
    await idle()
    assert connector.read == 5
    publisher.back.set()
    await until(lambda: len(publisher.records) == 100)
    connector.stop.set()

    assert await running == 0


async def test_a_refused_frame_does_not_hold_up_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    dead_before = REGISTRY.get_sample_value("cxone_interactions_dead_total", {"reason": "not JSON"}) or 0
    publisher = RecordingPublisher()
    connector = Connector(publisher, [event(0), frame(b"secret words", 1), event(2)])
    running = asyncio.create_task(connector.run())

    with capture_logs() as lines:
        await until(lambda: len(publisher.records) == 3)
        connector.stop.set()
        await running

    assert [record.topic for record in publisher.records] == [
        "cxone.raw.interactions",
        "cxone.dead-letters",
        "cxone.raw.interactions",
    ]
    assert REGISTRY.get_sample_value("cxone_interactions_dead_total", {"reason": "not JSON"}) == dead_before + 1
    assert [(line["event"], line["connector"], line["number"]) for line in lines] == [
        ("frames refused", "interactions", 1)
    ]
    assert "secret" not in str(lines)


async def test_stopping_flushes_what_was_read_when_kafka_comes_back() -> None:
    publisher = SlowPublisher()
    connector = Connector(publisher, [event(n) for n in range(20)])
    running = asyncio.create_task(connector.run())

    await until(lambda: connector.read == 20)
    connector.stop.set()
    await until(lambda: connector.closed)
    await idle()
    assert not running.done()
    publisher.back.set()

    assert await running == 0
    assert len(publisher.records) == 20


async def test_what_a_closing_socket_still_hands_over_is_delivered() -> None:
    publisher = RecordingPublisher()
    connector = Connector(publisher, [event(0)])

    async def listen() -> None:
        try:
            await connector.listen()
        finally:
            await idle()
            await connector.inbox.put(event(1))

    running = asyncio.create_task(
        connect(listen, connector.inbox, publisher, FIELDS, stop=connector.stop, flush_within=5)
    )
    await until(lambda: publisher.records)
    connector.stop.set()

    assert await running == 0
    assert [header(record, "cxone-event-id") for record in publisher.records] == ["e-0", "e-1"]


async def test_stopping_without_kafka_says_how_many_frames_are_lost() -> None:
    connector = Connector(SlowPublisher(), [event(n) for n in range(20)], Inbox(max_frames=7))
    running = asyncio.create_task(connector.run(flush_within=0.02))

    await until(lambda: connector.read == 7)
    connector.stop.set()

    assert await running == 8  # seven held, and one that had been read and waited for room
    assert connector.closed


async def test_a_socket_that_does_not_close_cannot_hold_the_end_up() -> None:
    connector = Connector(RecordingPublisher(), [])

    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    connector.stop.set()

    assert (
        await connect(stubborn, connector.inbox, connector.publisher, FIELDS, stop=connector.stop, flush_within=0.01)
        == 0
    )


async def test_a_record_that_kafka_refuses_ends_the_connector() -> None:
    publisher = RecordingPublisher()
    publisher.refuse = "too large"
    connector = Connector(publisher, [event(0)])

    with pytest.raises(PublishError, match="too large"):
        await connector.run()

    assert connector.closed
    assert connector.inbox.undelivered == 1


async def test_refused_credentials_end_the_connector_after_what_was_read() -> None:
    publisher = RecordingPublisher()
    inbox = Inbox()

    async def refused() -> None:
        await inbox.put(event(0))
        raise AuthorizationError("check the secret")

    with pytest.raises(AuthorizationError, match="check the secret"):
        await connect(refused, inbox, publisher, FIELDS, stop=asyncio.Event(), flush_within=5)

    assert len(publisher.records) == 1
