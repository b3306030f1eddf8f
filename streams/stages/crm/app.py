"""cxone.guest.admitted -> crm -> the CRM at CRM_URL, dead letters.

Each message reaches the CRM once: only a call that was under way, or answered and not yet written down, when the
process was killed goes out again, under the same idempotency key and with the same messages. Ordered per partition, and
so per conversation.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from prometheus_client import Counter

from connectors.kafka.publisher import KafkaPublisher, Publisher
from connectors.retry import delays
from connectors.settings import CrmSettings, KafkaSettings, load
from connectors.sinks.crm import Crm, HttpCrm
from connectors.sinks.until_answered import until_answered
from schemas.records import GuestMessage
from streams.core.steps import Steps
from streams.runtime.app import App
from streams.runtime.assembly import attach, declared, form_of
from streams.runtime.driver.store import make_table
from streams.runtime.refusal_limit import RefusalLimit
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.runtime.stage import Stage
from streams.runtime.state import TableState
from streams.stages.crm.batches import STAGE, Batch, Batches, Due, Policy
from streams.stages.crm.calls import BatchCalls
from streams.stages.crm.declaration import DECLARATION

HOLD = 20_000  # messages that are read and not settled: the topic has the others
PATIENCE = 0.6  # of the drain's time, for calls under way

WAITED = Counter("cxone_crm_waited_seconds", "Seconds waited between tries, by all partitions, while the CRM was away.")


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker, settings = load(KafkaSettings), load(WorkerSettings), load(CrmSettings)
    codec = StageCodec.from_settings()
    decode = codec.decoder(GuestMessage)
    app = declared(DECLARATION, kafka, worker, codec)
    publisher = app.using(KafkaPublisher(kafka.librdkafka()))
    assemble(app, publisher, app.using(HttpCrm(settings)), decode=decode, settings=settings, worker=worker)
    return app


class _Door:
    """The way to the CRM, for all partitions of a worker: so many at a time, for as long as it takes."""

    def __init__(self, crm: Crm, limit: int, app: App, stage: Stage[Due]) -> None:
        self._crm, self._app, self._stage = crm, app, stage
        self._slots = asyncio.Semaphore(limit)
        self._troubles: dict[int, str] = {}  # partition -> why its batch is not taken

    async def post(self, batch: Batch) -> str | None:
        """As `BatchCalls` asks for it."""
        return await until_answered(
            partial(self._once, batch),
            delays=delays(),
            sleep=self._sleep,
            on_state=partial(self._on_state, batch.partition),
        )

    def reset(self) -> None:
        """Forget what keeps batches from being taken: they are somebody else's now."""
        self._troubles.clear()
        self._stage.blocked = None

    async def _once(self, batch: Batch) -> str | None:
        async with self._slots:
            await self._app.pause(0)  # while this waited for its turn, the partitions may have begun to go
            return await self._crm.post(batch.rows, batch.key)

    async def _sleep(self, seconds: float) -> None:
        WAITED.inc(seconds)
        await self._app.pause(seconds)

    def _on_state(self, partition: int, words: str) -> None:
        if words == "ok":
            self._troubles.pop(partition, None)
        else:
            self._troubles[partition] = words
        self._stage.blocked = next(iter(self._troubles.values()), None)


def assemble(  # noqa: PLR0913 - a composition point
    app: App,
    publisher: Publisher,
    crm: Crm,
    *,
    decode: Callable[[bytes], GuestMessage],
    settings: CrmSettings,
    worker: WorkerSettings,
) -> Any:
    """Give the app its stage; return the agent."""
    policy = Policy(size=settings.batch, wait=settings.wait)
    form = form_of(app, DECLARATION, "batches")
    state = TableState(make_table(app, "batches"), publisher, app.lease, form)

    def take_up() -> Steps[Mapping[int, Mapping[bytes, bytes]]]:
        calls.begin()
        door.reset()
        return state.loading(app.partitions(), app.consumer_generation_id)

    async def deliver(flushes: Mapping[int, Due]) -> None:
        cores = stage.cores
        await state.deliver(flushes)
        for partition, flush in flushes.items():
            core = cores[partition]
            if flush.batch is not None and isinstance(core, Batches):
                calls.start(core, flush.batch)

    async def settle() -> None:
        await calls.settle()
        door.reset()  # what is settled is written down even while the CRM is away

    stage: Stage[Due] = Stage(
        STAGE,
        load=take_up,
        core=lambda partition, stored: Batches(partition, stored, policy=policy, decode=decode),
        deliver=deliver,
        interval=0.0,
        hold=HOLD,
        settle=settle,
        refusals=worker.dead_letter_share,
        rejoin=app.rejoin,
    )
    door = _Door(crm, settings.concurrency, app, stage)
    calls = BatchCalls(
        door.post,
        refusals=RefusalLimit(worker.dead_letter_share, f"what {STAGE} sends"),
        answered=stage.wake,
        rejoin=app.rejoin,
        crash=app.crash,
        patience=PATIENCE * worker.drain_timeout,
    )
    return attach(app, stage)
