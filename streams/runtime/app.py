"""The one place where a stage's Faust app is made, and where Faust's defaults are overruled."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from operator import attrgetter
from typing import Any, Protocol, TypeVar

import faust
import structlog
from faust.auth import SASLCredentials, SSLCredentials
from mode import CrashingSupervisor
from yarl import URL

from connectors.errors import ConnectorError
from connectors.kafka.publisher import KafkaPublisher
from connectors.kafka.transactions import TransactionalPublisher
from connectors.settings import KafkaSettings
from streams.core.contract import Chunk
from streams.core.declaration import Declaration
from streams.core.state_format import StateRefusedError
from streams.runtime.beat import beat
from streams.runtime.data_dir import private
from streams.runtime.driver import transport
from streams.runtime.driver.monitor import QuietMonitor
from streams.runtime.driver.recovery import TableManager
from streams.runtime.driver.store import discard_stale, open_beside
from streams.runtime.errors import DrainError
from streams.runtime.lease import Lease, elapsed
from streams.runtime.ownership import State
from streams.runtime.partition_troubles import PartitionTroubles, Place
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.runtime.stage import Stage

log = structlog.get_logger()

SESSION_SHARE = 0.8  # of the session timeout, after which a worker that the group does not answer no longer acts
WATCH_INTERVAL = 0.5  # seconds between two looks at the lease
TOPICS_INTERVAL = 30.0  # seconds between two looks at the ids of topics
PARTITIONS_INTERVAL = 5.0  # seconds between two looks at partitions that are in trouble
UNWRITTEN_FOR = 10.0  # seconds after which readiness tells of a partition that Kafka takes nothing of
POLLED_WITHIN = 60.0  # seconds
NEW_TOPICS = 30_000  # ms after which a topic that was missing is noticed (aiokafka's default is five minutes)
FETCH_BYTES = 2 << 20  # of one partition
NEVER = 14 * 86_400.0  # seconds: milliseconds have to fit into 32 bits
RECORD_BYTES = 2_000_000

_value = attrgetter("value")


async def _nothing() -> None: ...


async def _group_counts() -> Mapping[tuple[str, int], int] | None:
    """Say that a stage reads on from what its group has committed."""
    return None


class Resource(Protocol):
    """What an app closes when it has stopped."""

    async def close(self) -> None: ...


R = TypeVar("R", bound=Resource)


class App(faust.App):
    """The Faust app of one chunked stage."""

    declaration: Declaration
    codec: StageCodec | None = None  # of what is read, where that is no raw topic
    stage: Stage[Any]
    source: str
    sources: tuple[str, ...]  # it, and those that are read beside it
    drain_timeout: float
    hold_bytes: int
    fetch_wait_ms: int
    fetch_bytes: int
    tells_time = False  # of its raw partitions, as answers to fetches say that nothing comes
    resources: list[Resource]
    lease: Lease
    crash_reason: BaseException | None
    # Where a sink keeps how far it was written, by (topic, partition): that counts, not what the group has committed
    kept_positions: Callable[[], Awaitable[Mapping[tuple[str, int], int] | None]] = staticmethod(_group_counts)
    before_joining: Callable[[], Awaitable[None]] = staticmethod(_nothing)  # what it raises ends the app
    find_topic_ids: Callable[[], Mapping[str, str]] | None = None  # asks Kafka, of the topics whose offsets are stored
    topic_ids: Mapping[str, str] = {}  # as they were asked for last
    find_unwell: Callable[[], Mapping[Place, str]] | None = None  # asks Kafka what is wrong with the stage's partitions
    troubles: PartitionTroubles

    @property
    def recovered(self) -> bool:
        """Whether the state of the partitions that this worker has now is restored, and they are still ours."""
        ownership = self.stage.ownership
        return ownership.state is State.OWNED and ownership.owned_in(self.consumer_generation_id)

    def using(self, resource: R) -> R:
        """Close `resource` when the app has stopped."""
        self.resources.append(resource)
        return resource

    async def on_start(self) -> None:
        await self.look_at_topics()
        await self.before_joining()
        await super().on_start()

    async def on_stop(self) -> None:
        try:
            await super().on_stop()
        except DrainError as failure:  # what was queued is dropped: the group may hear of the stop
            log.error("could not drain", stage=self.stage.name, reason=str(failure))  # noqa: TRY400 - it says it all
            self.crash_reason = failure
        for resource in self.resources:
            await resource.close()

    def partitions(self) -> set[int]:
        """Return the source partitions that this worker owns now."""
        return self._partitions_of(self.source)

    def _partitions_of(self, topic: str) -> set[int]:
        return {tp.partition for tp in self.consumer.assignment() if tp.topic == topic}

    def source_partitions(self) -> int | None:
        """Return how many partitions the source has now, as far as its metadata are known."""
        consumer = self.consumer
        return consumer.topic_partitions(self.source) if isinstance(consumer, transport.Consumer) else None

    def progress(self) -> Mapping[tuple[str, int], tuple[int, int]]:
        """Return of each partition that is read up to where it is acknowledged, and its end as it was heard of last."""
        consumer = self.consumer
        return consumer.progress() if isinstance(consumer, transport.Consumer) else {}

    def unacknowledged(self) -> float:
        """Return for how many seconds something was read and nothing acknowledged."""
        return self.stage.unacknowledged

    def why_not_alive(self) -> str | None:
        """Return why an orchestrator should restart this worker, or None."""
        silent = time.monotonic() - self.consumer.polled_at
        excused = self.stage.waiting or self._waits_for_schema or not self.consumer.flow_active
        if silent > POLLED_WITHIN and not excused:
            return f"{self.stage.name}: the consumer has not polled for {silent:.0f} s"
        return None

    def why_not_ready(self) -> str | None:
        """Return what is missing until this worker does its share, or None."""
        stage = self.stage.name
        if not self.started or self.rebalancing or self.consumer_generation_id < 0:
            return f"{stage}: no partitions assigned yet"
        if not self.recovered:
            return f"{stage}: restoring state from the changelog"
        if not self.partitions():
            return f"{stage}: no partition of {self.source} is assigned (more workers than partitions?)"
        for topic in self.sources:
            if missing := self.partitions() - self._partitions_of(topic):
                return f"{stage}: of {topic} partition {min(missing)} is not assigned: is the topic new?"
        unwritten = self.stage.unwritten(UNWRITTEN_FOR)
        problem = self._waits_for_schema or self.stage.blocked or self.stage.trouble
        problem = problem or self.troubles.said(self.source, unwritten, elapsed())
        return f"{stage}: {problem}" if problem else None

    @property
    def _waits_for_schema(self) -> str | None:
        return self.codec.waiting if self.codec is not None else None

    async def learn(self, chunk: Chunk) -> None:
        """Return when the records of a chunk can be read, however long the schema registry is away."""
        if self.codec is not None:
            await self.codec.learn(map(_value, chunk.records))

    async def on_assigned(self, generation: int, partitions: set[int]) -> None:
        """Begin again with partitions that were just assigned; their state is not here yet."""
        try:
            for table in self.tables.values():
                await asyncio.to_thread(discard_stale, table.data, partitions, time.time())
        except OSError as failure:  # aiokafka would go on without us
            await self.crash(failure)
        self.stage.begin(generation)
        for table in self.tables.values():
            await open_beside(table.data, partitions)

    def rejoin(self) -> None:
        """Ask the broker for partitions anew."""
        self.consumer.rejoin()

    async def pause(self, seconds: float) -> None:
        """Sleep between two tries to deliver.

        Raises WithdrawnError or SuspendedError when there is to be no other: it is the partitions' next owner's.
        """
        await self.stage.pause(seconds)
        self.lease.check()

    async def watch(self) -> None:
        """Look after what may end unnoticed: the lease, while something is delivered, and the part in the group."""
        while True:
            if self.stage.delivering and not self.lease.held:
                self.give_up("the group does not answer")
            failure = self.consumer.coordination_failure()
            if failure is not None and not self.should_stop:
                await self.crash(failure)
            await beat(WATCH_INTERVAL)

    async def look_at_topics(self) -> None:
        """Ask Kafka for the ids of the topics whose offsets are stored.

        Where there is no answer, or no such topic for now, those of before count: made again, it has another one.
        """
        if self.find_topic_ids is not None:
            try:
                self.topic_ids = {**self.topic_ids, **await asyncio.to_thread(self.find_topic_ids)}
            except ConnectorError as failure:
                log.warning("could not ask for topic ids", stage=self.stage.name, reason=str(failure))

    async def watch_topics(self) -> None:
        """Start over when a topic whose offsets are stored was made again: what is stored of it is refused then."""
        while self.find_topic_ids is not None:
            await asyncio.sleep(TOPICS_INTERVAL)
            before = self.topic_ids
            await self.look_at_topics()
            for topic, its_id in self.topic_ids.items():
                if before.get(topic, its_id) != its_id:
                    self.stage.start_over(f"{topic} was deleted and made again")

    async def watch_partitions(self) -> None:
        """Find out what is wrong with partitions that are not read or written: no leader, too few replicas."""
        while self.find_unwell is not None:
            await asyncio.sleep(PARTITIONS_INTERVAL)
            if not (self.stage.unwritten(PARTITIONS_INTERVAL) or self.consumer.leaderless(self.sources)):
                self.troubles.see({}, elapsed())
                continue
            try:
                self.troubles.see(await asyncio.to_thread(self.find_unwell), elapsed())
            except ConnectorError as failure:
                log.warning("could not ask for the state of partitions", stage=self.stage.name, reason=str(failure))

    def lose(self, why: str) -> None:
        """Act on what the group said: the partitions are another's. Called in the consumer's thread."""
        self.lease.end(why)
        self.loop.call_soon_threadsafe(self.give_up, why)

    def give_up(self, why: str) -> None:
        """Start over without what is being delivered: the partitions may be another worker's."""
        if self.stage.ownership.may_write:
            self.stage.start_over(f"{why}; what is not with Kafka yet is dropped")
            self._drop_queued()

    def _drop_queued(self) -> None:
        for resource in self.resources:
            if isinstance(resource, KafkaPublisher | TransactionalPublisher):
                resource.give_up()

    async def drain(self) -> None:
        """Flush what the stage holds, before partitions go or the worker stops.

        Raises:
            DrainError: not done in time. The process must end; what was queued is dropped.
        """
        if not self.lease.held:
            self.give_up("the lease has ended")  # lost is not revoked: nothing is written any more
        try:
            await self.stage.drain(self.drain_timeout)
        except DrainError:
            self._drop_queued()
            raise

    async def take_up(self, generation: int) -> None:
        """Prepare what `on_rebalance_end` needs, once the state is here."""
        await self.stage.take_up(generation)

    def on_rebalance_end(self) -> None:
        super().on_rebalance_end()
        try:
            self.stage.resume(self.tables.recovery.ending)
        except StateRefusedError as refused:  # a crash, said from outside of a task
            self.crash_reason = refused
            self._crashed.set()


def build_app(stage: str, source: str, kafka: KafkaSettings, worker: WorkerSettings, *beside: str) -> App:
    """Make the app `cxone-<stage>` that reads `source` in chunks. The caller sets `app.stage` and its agent.

    Topics `beside` it are read, too: they have as many partitions, and a worker has the same ones of each.
    """
    private(worker.data_dir)  # Faust makes a folder in it, whichever the store
    app = App(
        f"cxone-{stage}",
        broker=[URL(f"{transport.SCHEME}://{server.strip()}") for server in kafka.bootstrap_servers.split(",")],
        broker_credentials=_credentials(kafka),
        store="rocksdb://" if worker.store == "rocksdb" else "memory://",
        datadir=worker.data_dir / f"cxone-{stage}",
        autodiscover=False,
        # Topics are made from their declarations before the app starts.
        topic_allow_declare=False,
        topic_disable_leader=True,
        # /table/ and /router/ would be open to anybody; health and metrics are ours.
        web_enabled=False,
        agent_supervisor=CrashingSupervisor,
        TableManager=TableManager,
        Monitor=QuietMonitor,
        table_standby_replicas=0,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=NEW_TOPICS,
        consumer_max_fetch_size=min(FETCH_BYTES, worker.fetch_bytes),
        broker_max_poll_records=4 * transport.CHUNK_RECORDS,
        broker_session_timeout=worker.session_timeout,
        broker_heartbeat_interval=worker.session_timeout / 5,
        broker_max_poll_interval=NEVER,  # a stage may wait so long for its sink that nothing is fetched
        broker_commit_interval=1.0,
        broker_commit_every=None,
        stream_buffer_maxsize=16,  # chunks, not records
        stream_recovery_delay=0.0,
        producer_request_timeout=30.0,
        producer_max_request_size=RECORD_BYTES,
        producer_acks=-1,
    )
    app.source, app.sources = source, (source, *beside)
    app.lease = Lease(SESSION_SHARE * worker.session_timeout)
    app.resources, app.troubles = [], PartitionTroubles()
    app.drain_timeout = worker.drain_timeout
    app.hold_bytes = worker.hold_bytes
    app.fetch_wait_ms = int(1000 * worker.fetch_wait)
    app.fetch_bytes = worker.fetch_bytes
    return app


def _credentials(kafka: KafkaSettings) -> Any:
    """Return Faust credentials. The TLS context belongs inside: beside them, Faust sends the password in clear."""
    tls = None
    if kafka.security_protocol.endswith("SSL"):
        tls = ssl.create_default_context(cafile=kafka.ssl_ca_location)
    if kafka.sasl_password is not None and kafka.security_protocol.startswith("SASL_"):
        return SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.sasl_password.get_secret_value(),
            ssl_context=tls,
            mechanism=kafka.sasl_mechanism,
        )
    return SSLCredentials(context=tls) if tls is not None else None
