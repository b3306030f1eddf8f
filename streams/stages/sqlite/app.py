"""cxone.metrics.snapshots, cxone.alerts -> sqlite -> one SQLite file, dead letters.

At-least-once into upserts (minute and queue, alert id) of which the highest revision counts: repeating a write changes
nothing. The file says itself how far it has been read, in the transaction of its rows, and that counts: a new file is
filled from the beginning, an older copy from where it was. One worker writes it; others are standbys. Ordered per key.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from connectors.errors import SinkError
from connectors.kafka.group_members import GroupMembers
from connectors.kafka.publisher import KafkaPublisher, Publisher
from connectors.retry import delays
from connectors.settings import KafkaSettings, load
from connectors.sinks.sqlite.failures import FileChangedError
from connectors.sinks.sqlite.file import Refusal, SqliteFile
from connectors.sinks.sqlite.one_file import OneFile
from connectors.sinks.sqlite.settings import SqliteSettings
from connectors.sinks.until_answered import until_answered
from schemas.records import AlertRecord, MetricSnapshot
from schemas.topics import ONLY_PARTITION
from streams.runtime.app import App
from streams.runtime.assembly import attach, declared, keep
from streams.runtime.errors import WithdrawnError
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.runtime.stage import Stage
from streams.stages.sqlite.declaration import DECLARATION
from streams.stages.sqlite.rows import STAGE, Batch, Feed, Row, Rows, Values, feeds

FLUSH_INTERVAL = 1.0  # seconds a row waits for others to go with
TEND_INTERVAL = 1.0
Positions = dict[tuple[str, int], int]


class File(Protocol):
    """What the stage needs of `connectors.sinks.sqlite.file.SqliteFile`."""

    async def positions(self) -> Positions: ...
    async def write(
        self, rows: Mapping[str, Sequence[Values]], positions: Mapping[tuple[str, int], int]
    ) -> Sequence[Refusal]: ...
    async def tend(self) -> str | None: ...
    async def release(self) -> None: ...


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker = load(KafkaSettings), load(WorkerSettings)
    codec = StageCodec.from_settings()
    app = declared(DECLARATION, kafka, worker, codec)
    publisher = app.using(KafkaPublisher(kafka.librdkafka()))
    settings = load(SqliteSettings)
    file = app.using(SqliteFile(settings))
    assemble(
        app, publisher, file, of_topics=feeds(codec.decoder(MetricSnapshot), codec.decoder(AlertRecord)), worker=worker
    )
    one = OneFile(DECLARATION.group, settings.path, GroupMembers(kafka.librdkafka()), session=worker.session_timeout)
    app.conf.broker_client_id = one.client_id
    app.before_joining = one.let_in
    keep(app, lambda: one.watch(lambda: app.recovered and not app.partitions()))
    return app


class Owner:
    """Keeps the file while this worker has the only partition that is written to."""

    def __init__(self, app: App, file: File) -> None:
        self._app, self._file = app, file
        self._agreed = False  # what is read follows what the file has

    async def positions(self) -> Positions | None:
        """Return where to read on from; None while the file does not say so."""
        self._agreed = False
        if not self._owns():
            return None
        try:
            positions = await self._file.positions()
        except SinkError as failure:
            self._app.stage.blocked = f"{type(failure).__name__.lower()}: {failure}"
            return None
        self._agreed = True
        return positions

    async def write(self, rows: Mapping[str, Sequence[Values]], positions: Positions) -> Sequence[Refusal]:
        """Write, or have everything read again from where the file says.

        Raises:
            SinkError: nothing is written; try again. WithdrawnError: what is to be written comes again.
        """
        if not self._agreed:
            await self._file.positions()
            self._start_over("the file is there now")
        try:
            return await self._file.write(rows, positions)
        except FileChangedError as changed:
            self._start_over(str(changed))
            raise

    async def tend(self) -> None:
        """Look after the file, for ever."""
        while True:
            await asyncio.sleep(TEND_INTERVAL)
            await self.look()

    async def look(self) -> None:
        """Let go of the file when it is another's; else see that it is there, and delete what is too old."""
        stage = self._app.stage
        if not self._owns():
            self._agreed = False
            await self._file.release()
            return
        if stage.delivering or not stage.ownership.may_write:
            return
        try:
            if not self._agreed:
                await self._file.positions()
                self._start_over("the file is there now")
            stage.trouble = await self._file.tend()
        except FileChangedError as changed:
            stage.start_over(str(changed))
        except SinkError as failure:
            stage.trouble = str(failure)
        except WithdrawnError:
            pass

    def _start_over(self, reason: str) -> None:
        self._app.stage.start_over(reason)
        raise WithdrawnError

    def _owns(self) -> bool:
        return ONLY_PARTITION in self._app.partitions()


def assemble(  # noqa: PLR0913 - a composition point
    app: App,
    publisher: Publisher,
    file: File,
    *,
    of_topics: Mapping[str, Feed],
    worker: WorkerSettings,
    waits: Callable[[], Iterator[float]] = delays,
) -> Any:
    """Give the app its stage; return the agent."""
    owner = Owner(app, file)

    def on_state(state: str) -> None:
        stage.blocked = None if state == "ok" else state

    async def deliver(flushes: Mapping[int, Batch]) -> None:
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        positions: Positions = {}
        for flush in flushes.values():
            positions |= flush.positions
            for row in flush.rows:
                rows[row.table].append(row)
        # Before the file says that they are read
        await publisher.publish([output for flush in flushes.values() for output in flush.outputs])
        app.lease.check()
        values = {table: [row.values for row in of_table] for table, of_table in rows.items()}
        write: Callable[[], Awaitable[Sequence[Refusal]]] = partial(owner.write, values, positions)
        refused = await until_answered(write, delays=waits(), sleep=app.pause, on_state=on_state)
        await publisher.publish([rows[each.table][each.index].refused(each.reason) for each in refused])

    stage = Stage(
        STAGE,
        load=dict,
        core=lambda _partition, _stored: Rows(of_topics),
        deliver=deliver,
        interval=FLUSH_INTERVAL,
        refusals=worker.dead_letter_share,
        rejoin=app.rejoin,
    )
    app.kept_positions = owner.positions
    return attach(app, stage, owner.tend)
