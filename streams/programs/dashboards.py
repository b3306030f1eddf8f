"""What the commands about dashboards do: look at CXone, read what was applied, publish commands, follow them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from connectors.cxone import dialect
from connectors.cxone.dashboards import DashboardApi, connected
from connectors.cxone.subscriptions import Subscribed, memory_key, subscribe
from connectors.errors import ConnectorError
from connectors.kafka.key_history import KeyHistory
from connectors.kafka.publisher import KafkaPublisher
from connectors.kafka.schema_ids import schema_ids
from connectors.kafka.topic_reader import Start, TopicReader
from connectors.settings import CxoneSettings, KafkaSettings, RegistrySettings, load
from schemas.avro import Codec, DecodeError
from schemas.envelope import Outgoing
from schemas.records import DashboardApplied, DashboardChange, DashboardCommand
from schemas.records.audit import AuditEntry
from schemas.topics import DASHBOARD_APPLIED, DASHBOARD_AUDIT, DASHBOARD_CHANGES, DASHBOARD_COMMANDS, SUBSCRIPTIONS
from streams.stages.dashboards.cxone import RefusedAnswerError, found, refusal, reply
from streams.stages.dashboards.json_text import loads
from streams.stages.dashboards.plan import Found, History
from streams.stages.dashboards.watching import Told, Watch

AT_A_TIME = 10  # requests
PATIENCE = 20.0  # seconds without a token, or of a pause that CXone asks for
LOOK = 0.3  # seconds between two looks at what became of commands
LOOK_AT_CHANGES = 1.0  # seconds between two looks for changes
WHOLE = 4  # looks, after which all of the topic is looked through
CLOCKS = 60_000  # ms that the broker's clock may be behind ours

R = TypeVar("R")


class Desk:
    """CXone's dashboards as a command sees them."""

    def __init__(self, api: DashboardApi, by: Sequence[tuple[str, ...]]) -> None:
        self.api, self._by = api, by

    async def look(self, dashboards: Iterable[str]) -> dict[str, Found | None]:
        """Return what CXone has; None where it has no such dashboard.

        Raises ConnectorError when it cannot be asked, or answers what cannot be worked with.
        """
        turns = asyncio.Semaphore(AT_A_TIME)

        async def one(dashboard: str) -> tuple[str, Found | None]:
            async with turns:
                return dashboard, await self._get(dashboard)

        return dict(await asyncio.gather(*map(one, dashboards)))

    async def _get(self, dashboard: str) -> Found | None:
        timed = await self.api.get(dashboard)
        answer = reply(timed.answer, timed.seconds)
        if answer.status == 404:  # noqa: PLR2004 - not found
            return None
        if not answer.is_success:
            raise ConnectorError(f"{dashboard}: {refusal(answer, 'dashboard:read')}")
        try:
            return found(answer, self._by)
        except RefusedAnswerError as wrong:
            raise ConnectorError(f"{dashboard}: {wrong}") from None


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    """Open CXone's API from the environment. Raises ConfigurationError."""
    settings = load(CxoneSettings)
    spoken = dialect.load(settings.dialect)
    patience = _Patience()
    api = connected(
        spoken, settings, timeout=10, connections=AT_A_TIME, pause=patience.pause, on_trouble=patience.on_trouble
    )
    try:
        yield Desk(api, spoken.dashboards.modified_by)
    finally:
        await api.close()


class _Patience:
    """A person waits, and would rather know: gives up where a worker tries for ever. Raises ConnectorError."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._trouble: str | None = None
        self._since = 0.0

    def on_trouble(self, trouble: str | None) -> None:
        if trouble is not None and self._trouble is None:
            self._since = self._clock()
        self._trouble = trouble

    async def pause(self, seconds: float) -> None:
        if self._trouble is not None and (seconds > PATIENCE or self._clock() - self._since > PATIENCE):
            raise ConnectorError(self._trouble)
        if seconds > PATIENCE:
            raise ConnectorError(f"CXone wants us to wait for {seconds:.0f} s: try again later")
        await asyncio.sleep(seconds)


def history(dashboards: Iterable[str]) -> dict[str, History]:
    """Return what was applied last of each dashboard that has a history. Raises ConnectorError."""
    wanted = set(dashboards)
    newest: dict[str, DashboardApplied] = {}
    for applied in _applied(Start()):
        if applied.dashboard_id in wanted:
            newest[applied.dashboard_id] = applied
    return {name: known for name, applied in newest.items() if (known := history_of(applied)) is not None}


def history_of(applied: DashboardApplied) -> History | None:
    """Return the history that a record keeps."""
    if applied.payload is None:
        return None
    payload: Any = loads(applied.payload)
    document: Any = None if applied.document is None else loads(applied.document)
    return History(document, payload)


async def publish(commands: Sequence[DashboardCommand]) -> None:
    """Hand commands to the stage. Raises ConnectorError."""
    kafka = load(KafkaSettings)
    encode = Codec(schema_ids(load(RegistrySettings))).encoder(DashboardCommand)
    publisher = KafkaPublisher({**kafka.librdkafka(), "message.timeout.ms": 30_000})
    try:
        await publisher.publish(
            [Outgoing(DASHBOARD_COMMANDS.name, each.dashboard_id.encode(), encode(each)) for each in commands]
        )
    finally:
        await publisher.close()


async def follow(
    commands: Sequence[DashboardCommand], told: Callable[[DashboardApplied], None], *, until: float
) -> Mapping[str, DashboardApplied]:
    """Wait for what becomes of commands, until a time (seconds since the epoch); `told` of each as it comes.

    Returns outcomes by command id: those that are missing were not carried out in time.
    """
    waiting = {each.command_id for each in commands}
    recent, looks = Start(time=min(each.issued_at for each in commands) - CLOCKS), 0
    outcomes: dict[str, DashboardApplied] = {}
    while waiting and time.time() < until:
        looks += 1
        begin = Start() if looks % WHOLE == 0 else recent  # the demo's broker finds no record by its time
        for applied in await asyncio.to_thread(_applied, begin):
            if applied.command_id in waiting:
                waiting.discard(applied.command_id)
                outcomes[applied.command_id] = applied
                told(applied)
        if waiting:
            await asyncio.sleep(LOOK)
    return outcomes


def _applied(begin: Start) -> list[DashboardApplied]:
    return _records(DASHBOARD_APPLIED.name, DashboardApplied, begin)


def _records(topic: str, record: type[R], begin: Start) -> list[R]:
    """Return the records of a topic in the order of each partition; what is none of ours is passed over."""
    kafka = load(KafkaSettings)
    decode = Codec(schema_ids(load(RegistrySettings))).decoder(record)
    reader = TopicReader(kafka.librdkafka())
    try:
        values = [each.value for each in reader.read(topic, begin) if each.value is not None]
    finally:
        reader.close()
    records = []
    for value in values:
        try:
            records.append(decode(value))
        except DecodeError:
            continue
    return records


async def subscribed(url: str) -> Subscribed:
    """Subscribe to changes of dashboards, delivered to `url`, unless that is done. Raises ConnectorError."""
    config = load(KafkaSettings).librdkafka()
    publisher = KafkaPublisher({**config, "message.timeout.ms": 30_000})
    memory = KeyHistory(config, SUBSCRIPTIONS, memory_key(url), publisher)
    try:
        async with desk() as asking:
            return await subscribe(asking.api, url, memory)
    finally:
        await publisher.close()


async def foreign_changes(begin: Start, *, until: float | None = None) -> AsyncIterator[Told]:
    """Yield the changes since `begin` that we did not make, until a time (seconds since the epoch) or for ever.

    Raises ConnectorError.
    """
    watched = Watch()
    while True:
        ends = until is not None and time.time() >= until  # what is kept back by then is still shown
        for change in await asyncio.to_thread(_changes, begin):
            told = Told(change.dashboard_id, change.event_type, change.actor, change.etag, change.received_at)
            watched.told(told, time.time())
        for entry in await asyncio.to_thread(_audited, _earlier(begin)):  # after the changes: see `Ours`
            watched.audited(entry.record)
        for foreign in watched.foreign(time.time()):
            yield foreign
        if ends and not watched.waiting:
            return
        await asyncio.sleep(LOOK_AT_CHANGES)


def _earlier(begin: Start) -> Start:
    return Start() if begin.time is None else Start(time=begin.time - CLOCKS)


def _audited(begin: Start) -> list[AuditEntry]:
    return _records(DASHBOARD_AUDIT.name, AuditEntry, begin)


def _changes(begin: Start) -> list[DashboardChange]:
    return _records(DASHBOARD_CHANGES.name, DashboardChange, begin)
