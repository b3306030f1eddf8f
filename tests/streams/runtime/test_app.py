"""A stage's Faust app, without a broker: how it is made, what it says of itself, and its agent on a channel."""

import asyncio
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import faust
import pytest
from faust.types import TP
from pydantic import SecretStr

from connectors.errors import ConnectorError, PublishError
from connectors.kafka.publisher import KafkaPublisher
from connectors.settings import KafkaSettings
from schemas.envelope import Consumed
from schemas.releases import FileSchemaIds, Schema
from streams.core.contract import Chunk, Flush
from streams.runtime.app import PARTITIONS_INTERVAL, POLLED_WITHIN, UNWRITTEN_FOR, App, build_app
from streams.runtime.assembly import attach
from streams.runtime.errors import DrainError, SuspendedError, WithdrawnError
from streams.runtime.lease import Lease
from streams.runtime.ownership import Ownership
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.runtime.stage import Stage
from tests.support.echo_stage import Echo
from tests.support.owning import own
from tests.support.virtual_time import run

PASSWORD = "w0rd"


class Consumer:
    """The consumer of an app, as far as it is asked."""

    def __init__(self) -> None:
        self.polled_at = monotonic()
        self.failure: BaseException | None = None
        self.without_leader = False
        self.flow_active = True
        self.tps = {TP("source", 0), TP("source", 3), TP("cxone-echo-windows-changelog", 9)}
        self._unacked_messages: set[Any] = set()  # Faust's stream puts what it hands out here

    def assignment(self) -> set[TP]:
        return self.tps

    def leaderless(self, topics: Collection[str]) -> bool:
        return self.without_leader and "source" in topics

    def coordination_failure(self) -> BaseException | None:
        return self.failure


def make(tmp_path: Path, **kafka: Any) -> App:
    return build_app("echo", "source", KafkaSettings(**kafka), WorkerSettings(data_dir=tmp_path))


@pytest.fixture(name="app")
def _app(tmp_path: Path) -> App:
    """An app that runs, with partitions 0 and 3 recovered in generation 5."""
    app = make(tmp_path)

    async def deliver(flushes: Mapping[int, Flush]) -> None: ...

    attach(app, Stage("echo", load=dict, core=Echo, deliver=deliver, interval=1.0))
    app.consumer = Consumer()
    app._started.set()
    app.consumer_generation_id = 5
    own(app.stage, 5)
    return app


def test_an_app_is_named_after_its_stage_and_serves_nothing_of_fausts(tmp_path: Path) -> None:
    app = make(tmp_path)

    assert app.conf.id == "cxone-echo"
    assert not app.conf.web_enabled
    assert not app.conf.topic_allow_declare
    assert app.conf.topic_disable_leader
    assert app.sources == ("source",)


def test_an_app_asks_all_brokers_through_the_chunk_transport(tmp_path: Path) -> None:
    app = make(tmp_path, bootstrap_servers="one:9092, two:9093")

    assert [str(url) for url in app.conf.broker] == ["chunked://one:9092", "chunked://two:9093"]


def test_a_password_goes_through_tls_where_tls_is_asked_for_and_shows_nowhere(tmp_path: Path) -> None:
    secret = {"sasl_username": "u", "sasl_password": SecretStr(PASSWORD)}
    tls = make(tmp_path, security_protocol="SASL_SSL", **secret).conf.broker_credentials
    plain = make(tmp_path, security_protocol="SASL_PLAINTEXT", **secret).conf.broker_credentials

    assert (tls.protocol.value, tls.mechanism.value, tls.username, tls.password) == (
        "SASL_SSL",
        "SCRAM-SHA-512",
        "u",
        PASSWORD,
    )
    assert tls.ssl_context is not None
    assert plain.protocol.value == "SASL_PLAINTEXT"
    assert PASSWORD not in repr(tls) + repr(plain)


def test_tls_without_a_password_and_neither(tmp_path: Path) -> None:
    assert make(tmp_path, security_protocol="SSL").conf.broker_credentials.protocol.value == "SSL"
    assert make(tmp_path).conf.broker_credentials is None


def test_only_partitions_of_the_source_count(app: App) -> None:
    assert app.partitions() == {0, 3}


def test_an_app_with_its_partitions_recovered_is_alive_and_ready(app: App) -> None:
    assert app.why_not_alive() is None
    assert app.why_not_ready() is None


def test_an_app_is_not_ready_before_it_has_joined(tmp_path: Path, app: App) -> None:
    app.consumer_generation_id = -1

    assert app.why_not_ready() == "echo: no partitions assigned yet"


def test_an_app_is_not_ready_before_its_group_has_spoken(app: App) -> None:
    app.stage.ownership = Ownership()

    assert app.why_not_ready() == "echo: restoring state from the changelog"


def test_an_app_is_not_ready_during_a_rebalance(app: App) -> None:
    app.rebalancing = True

    assert app.why_not_ready() == "echo: no partitions assigned yet"


def test_an_app_is_not_ready_while_the_state_of_this_generation_is_restored(app: App) -> None:
    app.consumer_generation_id = 6

    assert not app.recovered
    assert app.why_not_ready() == "echo: restoring state from the changelog"


def test_an_app_without_partitions_says_so(app: App) -> None:
    app.consumer.tps = set()

    assert "no partition of source is assigned" in (app.why_not_ready() or "")


def test_an_app_that_has_not_all_of_its_topics_says_which_is_missing(app: App) -> None:
    app.sources = ("source", "beside")
    app.consumer.tps = {TP("source", 0), TP("source", 3), TP("beside", 0)}
    assert app.why_not_ready() == "echo: of beside partition 3 is not assigned: is the topic new?"

    app.consumer.tps |= {TP("beside", 3)}
    assert app.why_not_ready() is None


def test_an_app_whose_delivery_is_blocked_says_by_what(app: App) -> None:
    app.stage.blocked = "no such bucket"

    assert app.why_not_ready() == "echo: no such bucket"


async def test_an_app_that_waits_for_a_schema_says_so_and_is_alive(app: App) -> None:
    class Away(FileSchemaIds):
        def schema_for(self, schema_id: int) -> Schema:
            raise ConnectorError("the schema registry does not answer")

    app.codec = StageCodec(Away())
    app.consumer.polled_at -= POLLED_WITHIN + 1
    learning = asyncio.create_task(app.learn(Chunk("source", 0, [Consumed(0, b"\0\0\0\0\x09body")])))
    while app.codec.waiting is None:  # noqa: ASYNC110 - whether this loop turns is what is tested
        await asyncio.sleep(0.001)

    assert app.why_not_ready() == "echo: waits for schema 9: the schema registry does not answer"
    assert app.why_not_alive() is None
    learning.cancel()


def test_an_app_that_does_not_poll_is_not_alive_unless_it_waits_for_its_stage(app: App) -> None:
    app.consumer.polled_at -= POLLED_WITHIN + 1
    assert re.search(r"has not polled for \d+ s", app.why_not_alive() or "")

    app.stage._deliveries = 1
    assert app.why_not_alive() is None
    app.stage._apart = True
    assert app.why_not_alive(), "others are taken while one partition is delivered"
    app.stage._deliveries, app.stage.full = 0, True
    assert app.why_not_alive() is None
    app.stage.full, app.consumer.flow_active = False, False
    assert app.why_not_alive() is None, "nobody polls before state is restored, however long a leader is missing"


def test_readiness_names_the_partition_that_is_in_trouble_and_for_how_long(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncio.to_thread", at_once)
    monkeypatch.setattr("streams.runtime.app.elapsed", lambda: asyncio.get_running_loop().time())
    app.find_unwell = lambda: {("source", 3): "has had no leader"}

    async def main() -> None:
        watching = asyncio.create_task(app.watch_partitions())
        await asyncio.sleep(PARTITIONS_INTERVAL + 0.1)
        assert app.why_not_ready() is None, "Kafka is only asked when something is held up"

        app.consumer.without_leader = True
        await asyncio.sleep(2 * PARTITIONS_INTERVAL)
        assert app.why_not_ready() == f"echo: source 3 has had no leader for {PARTITIONS_INTERVAL:.0f} s"
        assert app.why_not_alive() is None

        app.consumer.without_leader = False
        await asyncio.sleep(PARTITIONS_INTERVAL)
        assert app.why_not_ready() is None
        watching.cancel()

    run(main())


def test_readiness_names_a_partition_of_which_nothing_is_written(app: App) -> None:
    async def main() -> None:
        app.stage._began = {3: 0.0}
        await asyncio.sleep(UNWRITTEN_FOR - 1)
        assert app.why_not_ready() is None
        await asyncio.sleep(1)
        assert app.why_not_ready() == f"echo: source 3: nothing is written for {UNWRITTEN_FOR:.0f} s"

    run(main())


def test_a_topic_that_was_made_again_is_noticed_within_half_a_minute(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncio.to_thread", at_once)
    rejoined: list[None] = []
    app.stage._rejoin = lambda: rejoined.append(None)
    ids = {"source": "before"}
    app.find_topic_ids = lambda: dict(ids)

    async def main() -> None:
        await app.look_at_topics()
        watching = asyncio.create_task(app.watch_topics())
        await asyncio.sleep(100)
        assert app.stage.ownership.may_write
        del ids["source"]  # deleted, and not made again yet
        await asyncio.sleep(100)
        assert app.stage.ownership.may_write
        ids["source"] = "again"

        await asyncio.sleep(30)

        assert not app.stage.ownership.may_write
        assert len(rejoined) == 1
        assert app.topic_ids == ids, "what is stored is compared with this when partitions come"
        watching.cancel()

    run(main())


def test_a_kafka_that_does_not_answer_such_questions_ends_nobody(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncio.to_thread", at_once)
    monkeypatch.setattr(app.stage, "unwritten", lambda _seconds: True)
    asked: list[str] = []

    def ask(what: str) -> Any:
        asked.append(what)
        raise ConnectorError("Timed out waiting for controller")

    app.find_topic_ids, app.find_unwell = lambda: ask("ids"), lambda: ask("partitions")

    async def main() -> None:
        watching = [asyncio.create_task(app.watch_topics()), asyncio.create_task(app.watch_partitions())]
        await asyncio.sleep(100)
        assert not any(each.done() for each in watching)
        for each in watching:
            each.cancel()

    run(main())
    assert set(asked) == {"ids", "partitions"}


async def at_once(function: Callable[[], Any]) -> Any:
    return function()


async def test_partitions_that_were_just_assigned_are_not_recovered(app: App) -> None:
    await app.on_assigned(2, {0})

    assert not app.recovered
    assert not app.stage.cores


async def test_resources_are_closed_with_the_app(tmp_path: Path) -> None:
    closed = []

    class Door:
        async def close(self) -> None:
            closed.append(self)

    app = make(tmp_path)
    door = app.using(Door())

    await app.on_stop()

    assert closed == [door]


async def test_what_is_queued_is_dropped_when_a_drain_takes_too_long(tmp_path: Path) -> None:
    kafka = KafkaPublisher({"bootstrap.servers": "127.0.0.1:1"})  # nobody answers

    async def deliver(flushes: Mapping[int, Flush]) -> None:
        await kafka.publish([output for flush in flushes.values() for output in flush.outputs])

    app = make(tmp_path)
    app.using(kafka)
    app.drain_timeout = 0.01
    attach(app, Stage("echo", load=dict, core=Echo, deliver=deliver, interval=1.0))
    app.consumer = Consumer()
    app.stage._core(0).fold(Chunk("source", 0, [Consumed(0, b"a")]))
    flushing = asyncio.create_task(app.stage.flush())
    await asyncio.sleep(0)

    with pytest.raises(DrainError):
        await app.drain()
    with pytest.raises(PublishError, match="Purged"):
        await flushing

    await kafka.close()


async def test_an_app_that_could_not_drain_stops_all_the_same_and_has_crashed(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_late(app: faust.App) -> None:
        raise DrainError("too late")

    class Door:
        closed = False

        async def close(self) -> None:
            self.closed = True

    monkeypatch.setattr(faust.App, "on_stop", too_late)
    door = app.using(Door())

    await app.on_stop()

    assert door.closed
    assert str(app.crash_reason) == "too late"


async def test_there_is_no_other_try_without_the_lease(app: App) -> None:
    now = 0.0
    app.lease = Lease(12.0, clock=lambda: now)
    await app.pause(0)

    now = 13.0

    with pytest.raises(SuspendedError):
        await app.pause(0)


async def test_an_app_that_was_put_out_of_its_group_crashes(app: App) -> None:
    app.consumer.failure = RuntimeError("group authorization failed")
    watching = asyncio.create_task(app.watch())
    await asyncio.sleep(0)

    assert str(app.crash_reason) == "group authorization failed"
    watching.cancel()


async def test_partitions_whose_store_cannot_be_read_crash_the_app(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(*_: object) -> None:
        raise OSError("Input/output error")

    app.Table("windows", key_type=bytes, value_type=bytes)
    monkeypatch.setattr("streams.runtime.app.discard_stale", unreadable)

    await app.on_assigned(6, {0})

    assert str(app.crash_reason) == "Input/output error"


async def test_the_agent_folds_chunks_from_a_channel_and_acknowledges_them_with_the_flush(tmp_path: Path) -> None:
    app = make(tmp_path)
    delivered: list[bytes | None] = []

    async def deliver(flushes: Mapping[int, Flush]) -> None:
        delivered.extend(output.value for flush in flushes.values() for output in flush.outputs)

    agent = attach(app, Stage("echo", load=dict, core=Echo, deliver=deliver, interval=1.0))
    app.consumer = Consumer()
    async with agent.test_context() as running:
        events = [
            await running.put(Chunk("source", 0, [Consumed(0, b"a"), Consumed(1, b"b")])),
            await running.put(Chunk("source", 3, [Consumed(7, b"c")])),
        ]
        assert [event.message.acked for event in events] == [False, False]

        await app.stage.flush()

    assert delivered == [b"a", b"b", b"c"]
    assert [event.message.acked for event in events] == [True, True]


async def test_a_stage_that_fails_crashes_its_app(tmp_path: Path) -> None:
    class Broken(Echo):
        def fold(self, chunk: Chunk) -> int:
            raise RuntimeError("no more")

    async def deliver(flushes: Mapping[int, Flush]) -> None: ...

    app = make(tmp_path)
    agent = attach(app, Stage("echo", load=dict, core=Broken, deliver=deliver, interval=1.0))
    app.consumer = Consumer()

    with pytest.raises(RuntimeError, match="no more"):
        async with agent.test_context() as running:
            await running.put(Chunk("source", 0, [Consumed(0, b"a")]))

    assert str(app.crash_reason) == "no more"


async def test_what_is_held_of_lost_partitions_is_dropped_and_not_drained(app: App) -> None:
    written: list[Mapping[int, Flush]] = []
    rejoined: list[None] = []

    async def deliver(flushes: Mapping[int, Flush]) -> None:
        written.append(flushes)

    stage = app.stage
    stage._deliver, stage._rejoin = deliver, lambda: rejoined.append(None)
    stage._core(0).fold(Chunk("source", 0, [Consumed(0, b"stale")]))

    app.lose("UNKNOWN_MEMBER_ID")
    await app.drain()
    await stage.flush()
    await asyncio.sleep(0)

    assert written == []
    assert not app.lease.held
    assert len(rejoined) == 1
    with pytest.raises(WithdrawnError):
        await app.pause(0)


async def test_gone_stays_gone(app: App) -> None:
    stage = app.stage
    await app.drain()

    stage.resume(5)
    await stage.flush()

    assert not app.recovered
    assert stage.cores == {}
    with pytest.raises(WithdrawnError):
        await app.pause(30.0)
