"""Puts a stage together: its app, its state, the agent that folds and the task that flushes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

from connectors.kafka import topic_admin
from connectors.kafka.follower import Follower
from connectors.kafka.publisher import KafkaPublisher, transactional_config
from connectors.kafka.topic_admin import TopicAdmin
from connectors.kafka.transactions import TransactionalPublisher
from connectors.settings import KafkaSettings
from schemas.records import EventTimeProgress
from schemas.topics import EVENT_TIME, ROW_AGE_MS
from streams.core.calls.job import Job, Outcome
from streams.core.calls.ordered import Calls
from streams.core.contract import Core, Flush
from streams.core.declaration import Declaration
from streams.core.event_time import EventTime
from streams.core.keyed_rows import KeyedRows
from streams.core.raw_frames.frames import Event, Frames, Reading
from streams.core.rule import Rule
from streams.core.state_format import StateFormat
from streams.core.steps import Steps
from streams.core.windows.watermark import RawProgress, Watermark
from streams.runtime.app import WATCH_INTERVAL, App, build_app
from streams.runtime.call_runner import Runner
from streams.runtime.driver.store import make_table
from streams.runtime.event_time import EventTimeHearer, EventTimeTeller
from streams.runtime.one_transaction import TransactionalState
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.runtime.stage import SEAL_INTERVAL, Stage
from streams.runtime.state import TableState

E = TypeVar("E", bound=Event)
M = TypeVar("M")

TRANSACTION_INTERVAL = 0.2  # seconds: each flush stores a seal of its own


def declared(
    declaration: Declaration,
    kafka: KafkaSettings,
    worker: WorkerSettings,
    codec: StageCodec | None = None,
    *,
    beside: Sequence[str] | None = None,
) -> App:
    """Make the app of a declared stage, which reads with `codec` what is no raw topic.

    `beside` are the topics that it really reads of those that it declares.
    """
    names = tuple(spec.name for spec in declaration.beside) if beside is None else beside
    app = build_app(declaration.name, declaration.reads.name, kafka, worker, *names)
    app.declaration, app.codec = declaration, codec
    app.find_unwell = partial(topic_admin.unwell, kafka, [spec.name for spec in declaration.touches])
    of = frozenset[str]().union(*map(declaration.offsets_of, declaration.tables))
    if of:
        app.find_topic_ids = partial(topic_admin.topic_ids, kafka, of)
    return app


def form_of(app: App, declaration: Declaration, table: str) -> Callable[[], StateFormat]:
    """Return what says, when partitions are taken over, which form the state in `table` must have."""
    (declared_table,) = (each for each in declaration.tables if each.name == table)
    offsets_of = declaration.offsets_of(declared_table)

    def form() -> StateFormat:
        return StateFormat(
            stage=declaration.name,
            changelog=f"{declaration.group}-{table}-changelog",
            source=app.source,
            version=declared_table.version,
            migrations=declared_table.migrations,
            partitions=app.source_partitions(),
            topics={topic: its_id for topic, its_id in app.topic_ids.items() if topic in offsets_of},
        )

    return form


def stored(app: App, table: str, kafka: KafkaSettings, *, rows: bool = False) -> TableState:
    """Return the state that the app keeps in `table`, with a publisher of its own.

    With `rows`, outputs go over what was published before under their keys: one that comes late is worse than none.
    Their topic refuses them once the lease has ended that they were published under. Where a topic cannot, librdkafka
    gives up what it has not sent a little later. They are published again while the lease is held. Other records are
    not given up: readers that remember positions would take the hole for a replay, and state has its epochs.
    """
    publisher = app.using(KafkaPublisher(kafka.lingering()))
    own = None
    if rows:
        timeout = int(1000 * (app.lease.limit + 2 * WATCH_INTERVAL))
        config = kafka.lingering() | {"message.timeout.ms": timeout}
        own = app.using(KafkaPublisher(config, stamp=partial(app.lease.stamp, ROW_AGE_MS)))
    form = form_of(app, app.declaration, table)
    return TableState(make_table(app, table), publisher, app.lease, form, rows=own)


def stored_in_transactions(app: App, table: str, kafka: KafkaSettings) -> TableState:
    """Return the state that the app keeps in `table`, written with its outputs in one transaction a flush.

    The transactional id is this process's own: what a killed worker left open ends after its timeout, and no name given
    twice can make two workers throw each other out.
    """
    config = transactional_config(kafka.librdkafka(), f"{app.conf.id}-{uuid4().hex}")
    transactions = app.using(TransactionalPublisher(config))
    form = form_of(app, app.declaration, table)
    return TransactionalState(make_table(app, table), transactions, app.lease, form)


def attach_stateful(  # noqa: PLR0913 - a composition point
    app: App,
    name: str,
    state: TableState,
    core: Callable[[int, Mapping[bytes, bytes]], Core[Flush] | Steps[Core[Flush]]],
    *,
    interval: float,
    refusals: float,
    eager: bool = False,
    apart: bool = True,
    delivered: Callable[[Mapping[int, Flush], Mapping[tuple[str, int], int]], None] | None = None,
) -> Any:
    """Give the app a stage that writes what its cores flush to `state`; the arguments are the stage's.

    `delivered` is told of flushes that are with the broker, and of the last offsets of their outputs.
    """

    async def deliver(flushes: Mapping[int, Flush]) -> None:
        offsets = await state.deliver(flushes)
        if delivered is not None:
            delivered(flushes, offsets)

    stage: Stage[Flush] = Stage(
        name,
        load=lambda: state.loading(app.partitions(), app.consumer_generation_id),
        core=core,
        deliver=deliver,
        interval=interval,
        eager=eager,
        apart=apart,
        refusals=refusals,
        rejoin=app.rejoin,
    )
    return attach(app, stage)


def attach_calls(  # noqa: PLR0913 - a composition point
    app: App,
    state: TableState,
    core: Callable[[int, Mapping[bytes, bytes]], Calls[M]],
    call: Callable[[Job[M]], Awaitable[Outcome]],
    *,
    limit: int,
    hold: int,
    refusals: float,
    beside: Sequence[Callable[[], Awaitable[None]]] = (),
    write: Callable[[Mapping[int, Flush]], Awaitable[object]] | None = None,
) -> Runner[M]:
    """Give the app a stage that makes a call for each of its records; return what makes them.

    Args:
        app: of the stage.
        state: what was answered, and what waits.
        core: makes a partition's core from what is stored.
        call: makes one call, see `Runner`.
        limit: calls under way at a time.
        hold: records that may be read and not settled.
        refusals: share of refused records above which the stage stops.
        beside: what runs beside the stage.
        write: instead of the state's `deliver`.
    """
    stage: Stage[Flush] = Stage(
        app.declaration.name,
        load=lambda: state.loading(app.partitions(), app.consumer_generation_id),
        core=core,
        deliver=lambda flushes: runner.deliver(flushes),  # noqa: PLW0108 - it is made below
        interval=0,
        hold=hold,
        folded=lambda: runner.wake(),  # noqa: PLW0108
        settle=lambda: runner.settle(),  # noqa: PLW0108
        refusals=refusals,
        rejoin=app.rejoin,
    )
    runner = Runner(stage, call, write=write or state.deliver, limit=limit, lease=app.lease)
    attach(app, stage, runner.run, *beside)
    return runner


def attach(app: App, stage: Stage[Any], *beside: Callable[[], Awaitable[None]]) -> Any:
    """Give the app its stage: the agent that folds, the task that flushes, and what runs `beside` them."""
    app.stage = stage
    stage.hold_bytes = app.hold_bytes
    topic = app.topic(*app.sources, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    @app.agent(topic, name=stage.name)
    async def agent(stream: Any) -> None:
        try:
            await stage.run(stream, app.learn)
        except Exception as failure:
            await app.crash(failure)
            raise

    for run in (stage.keep_flushing, app.watch, app.watch_topics, app.watch_partitions, *beside):
        keep(app, run)
    return agent


def keep(app: App, run: Callable[[], Awaitable[None]]) -> None:
    """Run something beside the app's stage; the app ends when it fails."""

    @app.task
    async def keep_running() -> None:
        try:
            await run()
        except Exception as failure:
            await app.crash(failure)
            raise


def build_rows(  # noqa: PLR0913 - a composition point
    rule: Rule[Any, Any, Any],
    kafka: KafkaSettings,
    worker: WorkerSettings,
    *,
    codec: StageCodec,
    interval: float,
    rows: float | None = None,
) -> App:
    """Make the app of the stage that keeps a value per key and publishes a row per value: see `Rule`.

    Effectively once: each record is in its value once, whatever is killed. Rows are upserts, ordered per key.

    Args:
        rule: what the stage does. Values are kept in the one table that it declares.
        kafka: how to reach the brokers.
        worker: how stages run.
        codec: reads what the stage reads, and the event time of the raw topic behind it, if it declares one.
        interval: seconds in which a row is published once at most.
        rows: a second that a partition publishes at most; None publishes all that changed.
    """
    app, raw = declared(rule.declaration, kafka, worker, codec), RawProgress()
    if rule.declaration.behind is not None:
        raw = hear_event_time(app, kafka, codec)

    (table,) = rule.declaration.tables
    state = stored(app, table.name, kafka, rows=True)

    def core(partition: int, stored: Mapping[bytes, bytes]) -> Steps[KeyedRows[Any, Any, Any]]:
        life, time = state.epoch(partition), Watermark(partition, raw)
        return KeyedRows.restoring(partition, stored, rule=rule, time=time, life=life, rows=rows)

    attach_stateful(
        app,
        rule.declaration.name,
        state,
        core,
        interval=interval or SEAL_INTERVAL,
        eager=interval == 0,
        refusals=worker.dead_letter_share,
    )
    return app


def build_raw(  # noqa: PLR0913 - a composition point
    declaration: Declaration,
    reading: Reading[E],
    kafka: KafkaSettings,
    worker: WorkerSettings,
    *,
    horizon: float | None = None,
    transactions: bool = False,
    encode_progress: Callable[[EventTimeProgress], bytes] | None = None,
) -> App:
    """Make the app of the stage that reads the raw topic which `reading` describes.

    At-least-once in; each event id goes out with its source position, so that whoever remembers positions counts it
    once. With `transactions`, readers of committed records see it once. `horizon` is in seconds; None takes the setting
    of all stages. Where the reading says an event's time, those behind the stage are told how far each partition has
    come.
    """
    app = declared(declaration, kafka, worker)
    length = int(1000 * (worker.dedupe_horizon if horizon is None else horizon))
    idle_after = int(1000 * worker.idle_after)

    def core(partition: int, stored: Mapping[bytes, bytes]) -> Frames[E]:
        return Frames(partition, stored, horizon=length, reading=reading, idle_after=idle_after)

    (table,) = declaration.tables
    state = (stored_in_transactions if transactions else stored)(app, table.name, kafka)
    teller = None
    if reading.time is not None and encode_progress is not None:
        teller = EventTimeTeller(
            reading.source,
            reading.destination,
            raw=RawPartitions(app, kafka, reading.destination),
            publisher=app.using(KafkaPublisher(kafka.librdkafka())),
            encode=encode_progress,
        )
        app.tells_time = True
        keep(app, teller.run)
    attach_stateful(
        app,
        reading.stage,
        state,
        core,
        interval=TRANSACTION_INTERVAL if transactions else SEAL_INTERVAL,
        eager=not transactions,  # outputs that go out before their seal can be seen without it
        apart=not transactions,  # partitions share transactions
        refusals=worker.dead_letter_share,
        delivered=None if teller is None else teller.delivered,
    )
    return app


class RawPartitions:
    """What the teller of event time asks of an app; see `streams.runtime.event_time.Raw`."""

    def __init__(self, app: App, kafka: KafkaSettings, destination: str) -> None:
        self._app, self._kafka, self._destination = app, kafka, destination

    def generation(self) -> int | None:
        app = self._app
        return app.consumer_generation_id if app.recovered and app.lease.held else None

    def partitions(self) -> int | None:
        number: int | None = self._app.consumer.topic_partitions(self._app.source)
        return number

    def times(self) -> Mapping[int, EventTime]:
        owned = self._app.partitions()
        cores: Mapping[int, Any] = self._app.stage.cores
        return {partition: core.event_time for partition, core in cores.items() if partition in owned}

    def read_to_end(self, partition: int) -> tuple[int, bool]:
        found: tuple[int, bool] = self._app.consumer.read_to_end(self._app.source, partition)
        return found

    def ends(self) -> Mapping[int, int]:
        return TopicAdmin(self._kafka.librdkafka()).ends(self._destination)


def hear_event_time(app: App, kafka: KafkaSettings, codec: StageCodec) -> RawProgress:
    """Have the app hear how far the raw topic has come that it declares to be `behind` what it reads.

    Returns what a `Watermark` takes. Readiness says so when no worker tells of a raw partition.
    """
    behind = app.declaration.behind
    assert behind is not None  # noqa: S101 - its declaration says so
    ways = behind.name, app.source
    hearer = EventTimeHearer(app.using(Follower(kafka.librdkafka(), EVENT_TIME.name)), codec)
    keep(app, hearer.run)
    keep(app, lambda: hearer.watch(app.stage, *ways))
    return hearer.of(*ways)
