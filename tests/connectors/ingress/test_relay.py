"""Every frame reaches Kafka as it came, once Kafka takes it, and not more of them are held than agreed."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from connectors.cxone.connection import Frame
from connectors.errors import AuthorizationError, PublishError
from connectors.ingress.inbox import Inbox
from connectors.ingress.raw_record import Feed, Metrics
from connectors.ingress.relay import connect
from schemas.envelope import Outgoing
from schemas.frame_fields import identity
from schemas.topics import RAW_MESSAGES
from tests.support.fakes import RecordingPublisher

FEED = Feed("relayed", RAW_MESSAGES, Metrics("relayed"), lambda frame: identity(frame, (("key",),)), (("eventId",),))


def frame(data: bytes, number: int = 0) -> Frame:
    return Frame(data, "c0ffee", number, 1_700_000_000_123)


def event(number: int) -> Frame:
    return frame(b'{"eventId": "e-%d"}' % number, number)


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
        self.inbox = inbox or Inbox(FEED.metrics)
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
        return await connect(self.listen, self.inbox, self.publisher, FEED, stop=self.stop, flush_within=flush_within)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0)


async def idle() -> None:
    """Let everything go as far as it can."""
    for _ in range(100):
        await asyncio.sleep(0)


def header(record: Outgoing, name: str) -> str | None:
    values = [value.decode() for key, value in record.headers if key == name]
    return values[0] if values else None


async def test_frames_are_delivered_in_order_and_stopping_is_clean() -> None:
    publisher = RecordingPublisher()
    connector = Connector(publisher, [event(n) for n in range(10)])
    running = asyncio.create_task(connector.run())

    await until(lambda: len(publisher.records) == 10)
    connector.stop.set()

    assert await running == 0
    assert connector.closed
    assert [record.value for record in publisher.records] == [event(n).data for n in range(10)]


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
    connector = Connector(publisher, [event(n) for n in range(100)], Inbox(FEED.metrics, max_frames=10))
    running = asyncio.create_task(connector.run())

    await until(lambda: connector.read == 10)
    await idle()
    assert connector.read == 10
    assert REGISTRY.get_sample_value("cxone_relayed_in_flight") == 11  # one has been read and waits for room

    publisher.back.set()
    await until(lambda: len(publisher.records) == 100)
    connector.stop.set()

    assert await running == 0
    assert [record.value for record in publisher.records] == [event(n).data for n in range(100)]


async def test_bytes_are_bounded_as_well_as_frames() -> None:
    large = frame(b'{"a": "%s"}' % (b"x" * 1000))
    publisher = SlowPublisher()
    connector = Connector(publisher, [large] * 100, Inbox(FEED.metrics, max_bytes=5000))
    running = asyncio.create_task(connector.run())

    await until(lambda: connector.read == 5)
    await idle()
    assert connector.read == 5
    publisher.back.set()
    await until(lambda: len(publisher.records) == 100)
    connector.stop.set()

    assert await running == 0


async def test_a_refused_frame_does_not_hold_up_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    dead_before = REGISTRY.get_sample_value("cxone_relayed_dead_total", {"reason": "not JSON"}) or 0
    publisher = RecordingPublisher()
    connector = Connector(publisher, [event(0), frame(b"secret words", 1), event(2)])
    running = asyncio.create_task(connector.run())

    with capture_logs() as lines:
        await until(lambda: len(publisher.records) == 3)
        connector.stop.set()
        await running

    assert [record.topic for record in publisher.records] == [
        "cxone.raw.messages",
        "cxone.dead-letters",
        "cxone.raw.messages",
    ]
    assert REGISTRY.get_sample_value("cxone_relayed_dead_total", {"reason": "not JSON"}) == dead_before + 1
    assert [(line["event"], line["connector"], line["number"]) for line in lines] == [("frames refused", "relayed", 1)]
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
        connect(listen, connector.inbox, publisher, FEED, stop=connector.stop, flush_within=5)
    )
    await until(lambda: publisher.records)
    connector.stop.set()

    assert await running == 0
    assert [record.value for record in publisher.records] == [event(0).data, event(1).data]


async def test_stopping_without_kafka_says_how_many_frames_are_lost() -> None:
    connector = Connector(SlowPublisher(), [event(n) for n in range(20)], Inbox(FEED.metrics, max_frames=7))
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
        await connect(stubborn, connector.inbox, connector.publisher, FEED, stop=connector.stop, flush_within=0.01) == 0
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
    inbox = Inbox(FEED.metrics)

    async def refused() -> None:
        await inbox.put(event(0))
        raise AuthorizationError("check the secret")

    with pytest.raises(AuthorizationError, match="check the secret"):
        await connect(refused, inbox, publisher, FEED, stop=asyncio.Event(), flush_within=5)

    assert len(publisher.records) == 1
