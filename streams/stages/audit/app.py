"""cxone.dashboard.audit -> audit -> day files, signed heads; cxone.dashboard.audit.heads, dead letters.

Each entry is on the disk once before it is acknowledged: one that comes again after a kill is known by its hash.
Ordered per partition. A head is signed each minute; one that a kill takes between file and topic is missing there.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

import structlog
from prometheus_client import Counter

from connectors.errors import ConfigurationError, SinkError
from connectors.kafka.publisher import KafkaPublisher, Publisher
from connectors.retry import delays
from connectors.settings import KafkaSettings, load
from connectors.sinks.audit_files import AuditFolder
from connectors.sinks.until_answered import until_answered
from schemas.envelope import Outgoing
from schemas.records.audit import AuditEntry, AuditHead
from schemas.topics import DASHBOARD_AUDIT_HEADS
from streams.core.audit.heads import KeyFormatError, private_key, public_keys, signer, trusted
from streams.core.audit.journal import REMEMBERED, AlteredError, Append, Journal, LastDay
from streams.core.audit.lines import day_file, day_of, heads_file
from streams.runtime.app import App
from streams.runtime.assembly import attach, declared
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.runtime.stage import Stage
from streams.stages.audit.declaration import DECLARATION
from streams.stages.audit.entries import STAGE, Entries, Partition
from streams.stages.audit.settings import AuditSettings

FLUSH_INTERVAL = 1.0  # seconds an entry waits for others to go with

log = structlog.get_logger(stage=STAGE)

ENTRIES = Counter("cxone_audit_entries", "Entries of the audit topic that are in the day files.")
HEADS = Counter("cxone_audit_heads", "Signed heads that are in the day files.")


class Folder(Protocol):
    """What the stage needs of `connectors.sinks.audit_files.AuditFolder`."""

    async def append(self, name: str, data: bytes) -> None: ...
    async def close(self) -> None: ...


class Mirror:
    """The folder and what stands in it. A last head is signed when it is closed.

    Args:
        folder: where lines are added.
        read: reads what stands in it. Raises AlteredError.
        now: seconds since the epoch.
    """

    def __init__(self, folder: Folder, read: Callable[[], Journal], *, now: Callable[[], float] = time.time) -> None:
        self._folder, self._read, self._now = folder, read, now
        self._journal: Journal | None = None

    @property
    def journal(self) -> Journal:
        """What stands in the folder, and what comes next."""
        if self._journal is None:
            self._journal = self._read()
        return self._journal

    def forget(self) -> None:
        """Read the folder anew: what the journal said comes next was not written."""
        self._journal = None

    async def write(self, write: Append) -> None:
        """Add lines to a file. Raises what `AuditFolder.append` raises."""
        await self._folder.append(write.file, write.data)

    async def close(self) -> None:
        """Sign what is not signed yet, and let go of the folder."""
        try:
            if not self.journal.is_signed:
                for write in self.journal.head(int(1000 * self._now()))[0]:
                    await self.write(write)
        except (AlteredError, SinkError) as failure:
            log.warning("the last lines are not signed yet", reason=str(failure))
        finally:
            await self._folder.close()


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError, also when the day files were altered."""
    kafka, worker, audit = load(KafkaSettings), load(WorkerSettings), load(AuditSettings)
    if audit.key is None:
        raise ConfigurationError("AUDIT_KEY: it is needed by the audit stage; cxone-streams audit key makes one")
    try:
        key = private_key(audit.key.read_bytes())
        former = public_keys(audit.trusted.read_bytes()) if audit.trusted else []
    except (OSError, KeyFormatError) as wrong:
        raise ConfigurationError(f"AUDIT_KEY, AUDIT_TRUSTED: {wrong}") from None
    codec = StageCodec.from_settings()
    app = declared(DECLARATION, kafka, worker, codec)
    publisher = app.using(KafkaPublisher(kafka.librdkafka()))
    folder, sign, keys = AuditFolder(audit.dir), signer(key), trusted([key.public_key(), *former])
    mirror = Mirror(folder, lambda: Journal(sign, newest(folder), keys))
    try:
        mirror.journal  # noqa: B018 - what was altered is not written on
    except AlteredError as altered:
        raise ConfigurationError(
            f"AUDIT_DIR: {altered}: nothing is added to it. cxone-streams audit verify says what was done; "
            "move the folder away to begin a new one"
        ) from None
    repair(folder)
    assemble(
        app,
        publisher,
        app.using(mirror),
        decode=codec.decoder(AuditEntry),
        encode=codec.encoder(AuditHead),
        worker=worker,
    )
    return app


def newest(folder: AuditFolder) -> LastDay | None:
    """Return what a journal has to know of a folder. Raises AlteredError."""
    names = folder.names()
    days = [day for day in map(day_of, names) if day is not None]
    if any(name > heads_file(days[-1] if days else "") for name in names if name.endswith(".heads.jsonl")):
        raise AlteredError("there are heads of a day whose file is gone")
    if not days:
        return None
    heads = deque(folder.lines(heads_file(days[-1])), maxlen=1)
    if len(days) == 1:
        return LastDay(days[-1], folder.lines(day_file(days[-1])), heads)
    before = deque(folder.lines(heads_file(days[-2])), maxlen=1)
    earlier = deque(folder.lines(day_file(days[-2])), maxlen=REMEMBERED)
    return LastDay(days[-1], folder.lines(day_file(days[-1])), heads, before, earlier)


def repair(folder: AuditFolder) -> None:
    """Take away what a killed process left unfinished. Raises ConfigurationError."""
    days = [day for day in map(day_of, folder.names()) if day is not None]
    for day in days[-1:]:
        folder.repair(day_file(day))
        folder.repair(heads_file(day))


def assemble(  # noqa: PLR0913 - a composition point
    app: App,
    publisher: Publisher,
    mirror: Mirror,
    *,
    decode: Callable[[bytes], AuditEntry],
    encode: Callable[[AuditHead], bytes],
    worker: WorkerSettings,
    waits: Callable[[], Iterator[float]] = delays,
    now: Callable[[], float] = time.time,
) -> Any:
    """Give the app its stage; return the agent."""

    def on_state(state: str) -> None:
        stage.blocked = None if state == "ok" else state

    def is_head_due(now: int) -> bool:
        return mirror.journal.is_head_due(now)

    async def deliver(flushes: Mapping[int, Entries]) -> None:
        entries = [each for flush in flushes.values() for each in flush.entries]
        dead = [output for flush in flushes.values() for output in flush.outputs]
        app.lease.check()
        writes, heads = mirror.journal.append(entries, int(1000 * now()))
        try:
            for write in writes:
                await until_answered(partial(mirror.write, write), delays=waits(), sleep=app.pause, on_state=on_state)
        except BaseException:
            mirror.forget()
            raise
        ENTRIES.inc(len(entries))
        HEADS.inc(len(heads))
        signed = [Outgoing(DASHBOARD_AUDIT_HEADS.name, head.key.encode(), encode(head)) for head in heads]
        await publisher.publish([*signed, *dead])

    stage = Stage(
        STAGE,
        load=dict,
        core=lambda partition, _stored: Partition(partition, decode=decode, head_due=is_head_due),
        deliver=deliver,
        interval=FLUSH_INTERVAL,
        refusals=worker.dead_letter_share,
        rejoin=app.rejoin,
        now=now,
    )
    return attach(app, stage)
