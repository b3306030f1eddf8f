"""cxone.dashboard.changes -> forwarding -> the endpoints of BI tools, dead letters.

Each change that others made (ours are known by the audit trail) is told once, with an idempotency key from its source
position: only a call that was under way, or answered and not yet written down, when the process was killed goes out
again, under the same key. Ordered per dashboard.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial

import structlog
from prometheus_client import Counter, Gauge
from pydantic import SecretStr

from connectors.errors import Unavailable
from connectors.http.endpoint import Endpoint
from connectors.kafka.follower import Follower
from connectors.settings import KafkaSettings, load
from connectors.sinks.settings import ForwardingSettings
from schemas.avro import DecodeError
from schemas.records import DashboardChange
from schemas.records.audit import AuditEntry
from schemas.topics import DASHBOARD_AUDIT, DASHBOARD_CHANGES
from streams.core.audit.ours import Ours
from streams.core.calls.job import Done, Failed, Job, Outcome, Tiers
from streams.core.calls.ordered import Calls
from streams.runtime.app import App
from streams.runtime.assembly import attach_calls, declared, stored
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.stages.forwarding.change import LONGEST_WORDS, STAGE, Telling, body, name, outcome, reader, settles
from streams.stages.forwarding.declaration import DECLARATION

HOLD = 10_000  # changes that are read and not settled
AT_A_TIME = 100  # changes under way: those that wait for what becomes of an attempt of ours hold up no others
PATIENCE = 600.0  # seconds for that: what a command has to be carried out in
READ_WITHIN = 10.0  # seconds for the end of the audit trail: a worker that stops waits for calls under way
LOOK = 0.2  # seconds between two looks at it

CHANGES = Counter(
    "cxone_forwarding_changes", "Changes by what became of them: ours, told, refused, not forwarded.", ["fate"]
)
ANSWERS = Counter("cxone_forwarding_answers", "What attempts ended with, by status; 0 is no answer.", ["status"])
WAITING = Gauge("cxone_forwarding_waiting", "Changes that wait for another attempt.")

log = structlog.get_logger(stage=STAGE)


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker, settings = load(KafkaSettings), load(WorkerSettings), load(ForwardingSettings)
    codec = StageCodec.from_settings()
    read = reader(codec.decoder(DashboardChange))
    tiers = Tiers.in_memory(base=settings.retry_base, cap=settings.retry_cap, retries=settings.retries)
    app = declared(DECLARATION, kafka, worker, codec)
    state = stored(app, "calls", kafka)
    endpoints = Endpoints(app, settings, on_trouble=lambda trouble: setattr(app.stage, "trouble", trouble))
    trail = None
    if endpoints.number:
        trail = Trail(app, app.using(Follower(kafka.librdkafka(), DASHBOARD_AUDIT.name)), codec)
    else:
        log.info("changes are read and not forwarded: DASHBOARDS_FORWARD_URLS is empty")

    def core(partition: int, stored: Mapping[bytes, bytes]) -> Calls[Telling]:
        return Calls(partition, stored, stage=STAGE, topic=DASHBOARD_CHANGES.name, tiers=tiers, read=read)

    async def call(job: Job[Telling]) -> Outcome:
        if trail is None:
            CHANGES.labels("not forwarded").inc()
            return Done()
        try:
            if await trail.made(job.message.change):
                CHANGES.labels("ours").inc()
                return Done()
        except Unavailable as none:
            return Failed(str(none))
        came = outcome(job.message, await endpoints.tell(job.message, job.idempotency_key))
        if not isinstance(came, Failed):
            CHANGES.labels("told" if isinstance(came, Done) else "refused").inc()
        return came

    runner = attach_calls(
        app,
        state,
        core,
        call,
        limit=AT_A_TIME,
        hold=HOLD,
        refusals=worker.dead_letter_share,
        beside=() if trail is None else (trail.run,),
    )
    WAITING.set_function(lambda: sum(each.parked for each in runner.cores()))
    return app


class Endpoints:
    """Those who are told; `on_trouble` hears why one of them takes nothing, and None when all do again."""

    def __init__(self, app: App, settings: ForwardingSettings, *, on_trouble: Callable[[str | None], None]) -> None:
        """Make no connection yet. Raises ConfigurationError when the environment's proxy to one cannot be used."""
        self._on_trouble, self._troubles = on_trouble, dict[int, str]()
        self._endpoints = [
            app.using(
                Endpoint(
                    name(number),
                    SecretStr(url),
                    token=token,
                    token_name="DASHBOARDS_FORWARD_TOKENS",  # noqa: S106 - the name of a setting
                    timeout=settings.timeout,
                    connections=settings.concurrency,
                    pause=app.pause,
                    on_trouble=partial(self._troubled, number),
                )
            )
            for number, (url, token) in enumerate(settings.endpoints())
        ]
        self._places = [asyncio.Semaphore(settings.concurrency) for _ in self._endpoints]

    @property
    def number(self) -> int:
        """How many they are."""
        return len(self._endpoints)

    async def tell(self, telling: Telling, key: str) -> list[str]:
        """Tell all that have not settled it. Returns why some have to be told again.

        Ends when all calls have, and raises then what one of them raised: none goes on behind our back.
        """
        left = [self._tell(number, telling, key) for number in range(self.number) if number not in telling.settled]
        failures: list[str] = []
        for came in await asyncio.gather(*left, return_exceptions=True):
            if isinstance(came, BaseException):
                raise came
            failures += [came] if came is not None else []
        return failures

    async def _tell(self, number: int, telling: Telling, key: str) -> str | None:
        endpoint = self._endpoints[number]
        async with self._places[number]:
            try:
                answer, _ = await endpoint.ask(body(telling.change), key=key)
            except Unavailable as none:
                ANSWERS.labels(0).inc()
                return str(none)
        ANSWERS.labels(answer.status).inc()
        words = f"{answer.status} {endpoint.words(answer, LONGEST_WORDS)}".strip()
        took = settles(answer.status)
        if took is None:
            return f"{name(number)} answered {words}"
        telling.settled[number] = None if took else words
        return None

    def _troubled(self, number: int, trouble: str | None) -> None:
        self._troubles.pop(number, None)
        if trouble is not None:
            self._troubles[number] = trouble
        self._on_trouble(next(iter(self._troubles.values()), None))


class Trail:
    """The audit trail, as far as it tells which changes are ours."""

    def __init__(self, app: App, follower: Follower, codec: StageCodec) -> None:
        self._app, self._follower = app, follower
        self._learn, self._decode = codec.learn, codec.decoder(AuditEntry)
        self._ours = Ours()

    async def run(self) -> None:
        """Take what comes, for ever."""
        async for value in self._follower.values():
            await self._learn([value])
            try:
                self._ours.take(self._decode(value).record)
            except DecodeError:
                continue  # the audit stage makes a dead letter of it

    async def made(self, change: DashboardChange) -> bool:
        """Whether an attempt of ours led to a change. Waits for what becomes of one that may have.

        Raises Unavailable when Kafka does not answer.
        """
        if self._ours.made(change.dashboard_id, change.etag):
            return True
        try:
            async with asyncio.timeout(READ_WITHIN):
                await self._follower.caught_up()
        except TimeoutError:
            raise Unavailable("the audit trail is not read to its end yet") from None
        attempt, began = self._ours.open(change.dashboard_id), time.monotonic()
        while attempt is not None and attempt == self._ours.open(change.dashboard_id):
            if self._ours.made(change.dashboard_id, change.etag) or time.monotonic() - began > PATIENCE:
                break
            await self._app.pause(LOOK)
        return self._ours.made(change.dashboard_id, change.etag)
