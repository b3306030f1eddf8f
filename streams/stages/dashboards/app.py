"""cxone.dashboard.commands (and the retry tiers) -> dashboards -> CXone's dashboards; applied, the audit trail.

Ordered per dashboard. A PUT goes out with the ETag of what the merge was made with, and only after its intent is with
the broker. A command is carried out at least once, and takes effect once: what a kill leaves open is settled by a GET.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import structlog
from prometheus_client import Counter, Gauge, Histogram

from connectors.cxone import dialect
from connectors.cxone.dashboards import DashboardApi, Timed, connected
from connectors.cxone.subscriptions import memory_key, subscribe
from connectors.errors import AuthorizationError, ConfigurationError, Unavailable
from connectors.kafka.key_history import KeyHistory
from connectors.kafka.publisher import KafkaPublisher
from connectors.retry import delays
from connectors.settings import CxoneSettings, KafkaSettings, check_http_url, load
from schemas.envelope import Outgoing
from schemas.records import DashboardApplied, DashboardCommand
from schemas.records.audit import AuditEntry, AuditRecord
from schemas.topics import DASHBOARD_APPLIED, DASHBOARD_COMMANDS, DASHBOARD_RETRIES, SUBSCRIPTIONS
from streams.core.calls.job import Done, Failed, Job, Outcome, Tiers
from streams.core.contract import Flush
from streams.runtime.app import App
from streams.runtime.assembly import attach_calls, declared, stored
from streams.runtime.call_runner import Runner
from streams.runtime.errors import WithdrawnError
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.stages.dashboards.applying import carry_out
from streams.stages.dashboards.command import Again, Order, Verdict, applied, reader
from streams.stages.dashboards.commands import STAGE, Commands
from streams.stages.dashboards.cxone import Reply, reply
from streams.stages.dashboards.declaration import DECLARATION
from streams.stages.dashboards.memory import Memory
from streams.stages.dashboards.settings import DashboardsSettings

HOLD = 5_000  # commands that are read and not settled
JITTER = 1.0  # seconds, at most, before another try
ROLL_LOOK = 30.0  # seconds between two looks for ranges that are behind
LOOK = 1.0  # seconds between two looks, whether what is waited for can still come

log = structlog.get_logger(stage=STAGE)

COMMANDS = Counter("cxone_dashboards_commands", "Commands by what became of them.", ["status"])
ANSWERS = Counter("cxone_dashboards_answers", "Answers of CXone; status 0 is none.", ["method", "status"])
SECONDS = Histogram(
    "cxone_dashboards_seconds",
    "From the moment a command was issued to its outcome.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600),
)
WAITING = Gauge("cxone_dashboards_waiting", "Commands that wait for another try, or behind one that does.")


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker, cxone, settings = (
        load(KafkaSettings),
        load(WorkerSettings),
        load(CxoneSettings),
        load(DashboardsSettings),
    )
    codec = StageCodec.from_settings()
    spoken = dialect.load(cxone.dialect)
    read, encode = reader(codec.decoder(DashboardCommand)), codec.encoder(DashboardApplied)
    encode_entry = codec.encoder(AuditEntry)
    tiers = Tiers.growing(
        tuple(spec.name for spec in DASHBOARD_RETRIES),
        base=settings.retry_base,
        cap=settings.retry_cap,
        retries=settings.retries,
    )
    app = declared(DECLARATION, kafka, worker, codec, beside=tiers.topics)
    state = stored(app, "commands", kafka)

    def on_trouble(trouble: str | None) -> None:
        app.stage.trouble = trouble

    api = app.using(
        connected(
            spoken,
            cxone,
            timeout=settings.timeout,
            connections=settings.concurrency,
            pause=app.pause,
            on_trouble=on_trouble,
            rate=settings.rate,
        )
    )

    def core(partition: int, stored: Mapping[bytes, bytes]) -> Commands:
        return Commands(
            partition,
            stored,
            generation=app.consumer_generation_id,
            encode=encode_entry,
            tiers=tiers,
            read=read,
        )

    async def call(job: Job[Order]) -> Outcome:
        owner = _owner(runner, job)
        if job.attempt > 1:
            await app.pause(random.random() * JITTER)
        order, command = job.message, job.message.command
        hands = _Hands(app, owner, api, command.dashboard_id)
        came = await carry_out(order, owner.memory(command.dashboard_id), hands, spoken.dashboards.modified_by)
        if isinstance(came, Again):
            if job.attempt < tiers.attempts:
                log.info("tries again", dashboard=command.dashboard_id, reason=came.reason, attempt=job.attempt)
                return Failed(came.reason)
            came = Verdict("failed", f"{job.attempt} tries failed, the last one with: {came.reason}")
        now = hands.now()
        COMMANDS.labels(came.status).inc()
        SECONDS.observe(max(now - command.issued_at, 0) / 1000)
        log.info("carried out", dashboard=command.dashboard_id, status=came.status, command=command.command_id)
        outcome = applied(command, came, owner.memory(command.dashboard_id), now)
        return Done((Outgoing(DASHBOARD_APPLIED.name, command.dashboard_id.encode(), encode(outcome)),))

    async def write(flushes: Mapping[int, Flush]) -> None:
        cores = [app.stage.cores.get(partition) for partition in flushes]
        await state.deliver(flushes)
        for each in cores:
            if isinstance(each, Commands):
                each.written()

    publisher = app.using(KafkaPublisher(kafka.librdkafka()))
    rolling = partial(_roll, app, publisher, codec.encoder(DashboardCommand))
    runner: Runner[Order] = attach_calls(
        app,
        state,
        core,
        call,
        limit=settings.concurrency,
        hold=HOLD,
        refusals=worker.dead_letter_share,
        beside=(*_subscribing(settings.webhook_url, api, kafka, publisher), *((rolling,) if settings.roll else ())),
        write=write,
    )
    WAITING.set_function(lambda: sum(each.parked for each in runner.cores()))
    return app


def _owner(runner: Runner[Order], job: Job[Order]) -> Commands:
    """Return the core of a call's partition. Raises WithdrawnError when it is gone."""
    for core in runner.cores():
        if isinstance(core, Commands) and core.is_calling(job):
            return core
    raise WithdrawnError


def _subscribing(
    url: str | None, api: DashboardApi, kafka: KafkaSettings, publisher: KafkaPublisher
) -> list[Callable[[], Awaitable[None]]]:
    """Return what lets CXone tell `url` of changes. Raises ConfigurationError when that is no URL for secrets."""
    if url is None:
        return []
    try:
        check_http_url(url)
    except ValueError as wrong:
        raise ConfigurationError(f"DASHBOARDS_WEBHOOK_URL: {wrong}.") from None
    memory = KeyHistory(kafka.librdkafka(), SUBSCRIPTIONS, memory_key(url), publisher)
    return [partial(_subscribe, api, url, memory)]


async def _subscribe(api: DashboardApi, url: str, memory: KeyHistory) -> None:
    """Let CXone tell `url` of changes, unless it does. A refusal is logged; dashboards are applied all the same."""
    for wait in delays():
        try:
            done = await subscribe(api, url, memory)
        except Unavailable as none:
            log.info("not subscribed to changes yet", reason=str(none), retry_in=round(wait, 1))
            await asyncio.sleep(wait)
        except (AuthorizationError, ConfigurationError) as refused:
            log.error("not subscribed to changes", reason=str(refused))  # noqa: TRY400 - it says it all
            return
        else:
            log.info("subscribed to changes", subscription=done.id, made=done.made)
            return


async def _roll(app: App, publisher: KafkaPublisher, encode: Callable[[DashboardCommand], bytes]) -> None:
    """Ask for ranges that are behind to be applied again, for ever."""
    while True:
        await asyncio.sleep(ROLL_LOOK)
        cores = [core for core in app.stage.cores.values() if isinstance(core, Commands)]
        await publisher.publish(
            [
                Outgoing(DASHBOARD_COMMANDS.name, each.dashboard_id.encode(), encode(each))
                for core in cores
                for each in core.behind(_now())
            ]
        )


def _now() -> int:
    return time.time_ns() // 1_000_000


class _Hands:
    """What carrying out one command does to the world: see `applying.Hands`."""

    def __init__(self, app: App, core: Commands, api: DashboardApi, dashboard: str) -> None:
        self._app, self._core, self._api, self._dashboard = app, core, api, dashboard

    async def get(self, dashboard: str) -> Reply | str:
        return await self._answer("GET", lambda: self._api.get(dashboard))

    async def put(self, dashboard: str, body: bytes, etag: str, *, key: str) -> Reply | str:
        return await self._answer("PUT", lambda: self._api.put(dashboard, body, etag, key=key))

    async def create(self, dashboard: str, body: bytes, *, key: str) -> Reply | str:
        return await self._answer("POST", lambda: self._api.create(dashboard, body, key=key))

    def remember(self, memory: Memory) -> None:
        self._core.remember(self._dashboard, memory)

    def audit(self, record: AuditRecord) -> None:
        self._core.audit(record)

    async def written(self) -> None:
        done = asyncio.Event()
        self._core.when_written(done.set)
        self._app.stage.wake()
        while not done.is_set():
            try:
                async with asyncio.timeout(LOOK):
                    await done.wait()
            except TimeoutError:
                if self._core not in self._app.stage.cores.values():
                    raise WithdrawnError from None
        self._app.lease.check()

    async def may_go_on(self) -> None:
        await self._app.pause(0)

    def now(self) -> int:
        return _now()

    async def _answer(self, method: str, ask: Callable[[], Awaitable[Timed]]) -> Reply | str:
        try:
            timed = await ask()
        except Unavailable as none:
            ANSWERS.labels(method, 0).inc()
            return str(none)
        answer = timed.answer
        ANSWERS.labels(method, answer.status).inc()
        return reply(answer, timed.seconds)
