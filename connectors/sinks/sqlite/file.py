"""Rows and reading positions -> one SQLite file, in one transaction.

The file says itself how far it has read each partition: what it has lost (a power cut, a restored copy, a new file) is
read again, whatever the consumer group has committed. Rows are upserts by a natural key, and a row with a lower or the
same revision changes nothing, so reading again is harmless.

WAL with `synchronous = NORMAL`: readers and the writer do not wait for each other, a killed process loses nothing, and
a power cut at most the newest transactions as a whole, positions with rows.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import apsw

from connectors.errors import Unavailable
from connectors.sinks.ownership import Ownership
from connectors.sinks.sqlite.failures import FAILURES, FileChangedError, explained
from connectors.sinks.sqlite.migrations import ForeignFileError, migrate, transaction
from connectors.sinks.sqlite.settings import SqliteSettings
from connectors.sinks.sqlite.statements import EXPIRE, POSITIONS, SET_POSITION, UPSERTS

Values = Mapping[str, str | int | float | None]
Rows = Mapping[str, Sequence[Values]]  # table -> rows, each with every column of `statements.COLUMNS`
Positions = Mapping[tuple[str, int], int]  # (topic, partition) -> the next offset to read

KEPT_WAL = 16 << 20  # bytes that the log keeps when it starts anew
COPIED_BACK = 4 << 20  # bytes of the log after which it is copied back into the file
PAGE = 4096  # bytes: SQLite's default
EXPIRE_INTERVAL = 60.0  # seconds
EXPIRE_SLICE = 2000  # rows in one transaction
DAY = 86_400.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that does not fit its table, by its table and index in what was given to `write`, and SQLite's words."""

    table: str
    index: int
    reason: str


class SqliteFile:
    """The only writer of one file. Opens it when it is first needed, and again after each failure.

    Everything that it does to the file it does in one thread of its own, so that a caller that was cancelled and one
    that comes after it do not meet. Once closed it is Unavailable to whoever still asks: a stage that stops closes it
    before its own tasks have ended.
    """

    def __init__(self, settings: SqliteSettings, *, now: Callable[[], float] = time.time) -> None:
        """`now` is in seconds since the epoch: when rows were made, and how old they are."""
        self._settings, self._now = settings, now
        self._path = settings.path.absolute()
        self._wal_limit = settings.wal_limit_mb << 20
        self._ownership = Ownership(self._path)
        self._database: apsw.Connection | None = None
        self._opened: tuple[os.stat_result, ...] = ()  # of the file and its log
        self._known: dict[tuple[str, int], int] | None = None  # positions that the file must have
        self._expire_at = 0.0  # seconds since the epoch
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._closed = False

    async def positions(self) -> dict[tuple[str, int], int]:
        """Take the file, making it if it is missing; return its positions. What is written follows them.

        Raises Unavailable or Misconfigured, of which `connectors.sinks.sqlite.failures` has the kinds.
        """
        return await self._run(self._read_positions)

    async def write(self, rows: Rows, positions: Positions) -> list[Refusal]:
        """Store rows and the positions after them, all or nothing; return the rows that no file would take.

        Raises:
            Unavailable, Misconfigured: nothing is stored. Write the same again.
            FileChangedError: what is stored is not what `positions` said and this writer added. Ask for it again.
        """
        return await self._run(lambda: self._write(rows, positions))

    async def tend(self) -> str | None:
        """Delete what is too old; return why the file needs a person's look although it can be written, or None.

        Raises as `write`.
        """
        return await self._run(self._tend)

    async def release(self) -> None:
        """Let another process have the file. `positions` takes it again."""
        if not self._closed:
            await self._run(self._release)

    async def close(self) -> None:
        """Finish what is under way and let go of the file, for good."""
        self._closed = True
        await self._in_thread(self._release)
        self._thread.shutdown()

    async def _run(self, call: Callable[[], T]) -> T:
        if self._closed:
            raise Unavailable("the file is closed: the worker stops")
        return await self._in_thread(call)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _guarded(self, call: Callable[[apsw.Connection], T]) -> T:
        """Call with the open file. After a failure it is opened anew: what was wrong with it may be mended by then."""
        try:
            database = self._open()
            result = call(database)
        except FAILURES as failure:
            self._shut()
            raise explained(failure, self._path.name) from failure
        except FileChangedError:
            self._shut()
            raise
        return result

    def _open(self) -> apsw.Connection:
        self._ownership.take()
        if self._database is not None:
            if self._in_place():
                return self._database
            raise FileChangedError(f"{self._path.name} was removed or replaced while it was open")
        database = apsw.Connection(str(self._path))
        try:
            self._prepare(database)
            self._opened = self._path.stat(), self._log.stat()
        except BaseException:
            database.close(True)
            raise
        self._database = database
        return database

    def _prepare(self, database: apsw.Connection) -> None:
        database.set_busy_timeout(int(self._settings.lock_timeout * 1000))
        if database.pragma("journal_mode", "wal") != "wal":
            raise ForeignFileError("SQLite keeps no write-ahead log there: choose a local disk")
        database.pragma("synchronous", "normal")
        database.pragma("journal_size_limit", min(KEPT_WAL, self._wal_limit // 2))
        database.wal_autocheckpoint(min(COPIED_BACK, self._wal_limit // 4) // PAGE)
        migrate(database)

    def _read_positions(self) -> dict[tuple[str, int], int]:
        def read(database: apsw.Connection) -> dict[tuple[str, int], int]:
            return {(topic, partition): following for topic, partition, following in database.execute(POSITIONS)}

        try:
            self._known = self._guarded(read)
        except FileChangedError:  # nothing was to follow what was there
            self._known = self._guarded(read)
        return dict(self._known)

    def _write(self, rows: Rows, positions: Positions) -> list[Refusal]:
        known = self._known
        if known is None:
            raise FileChangedError(f"{self._path.name} was let go of")

        def write(database: apsw.Connection) -> list[Refusal]:
            with transaction(database):
                stored = {(topic, partition): after for topic, partition, after in database.execute(POSITIONS)}
                if stored != known:
                    raise FileChangedError(f"{self._path.name} is not as it was left: another file, or another writer")
                refused = self._upsert(database, rows)
                database.executemany(SET_POSITION, [(*source, after) for source, after in positions.items()])
            if not self._in_place():
                raise FileChangedError(f"{self._path.name} was removed or replaced while it was written")
            return refused

        refused = self._guarded(write)
        known.update(positions)
        return refused

    def _upsert(self, database: apsw.Connection, rows: Rows) -> list[Refusal]:
        refused = []
        created_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._now()))
        for table, values in rows.items():
            statement = UPSERTS[table]
            for index, row in enumerate(values):
                try:
                    database.execute(statement, {**row, "created_at": created_at})
                except (apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError, OverflowError) as wrong:
                    refused.append(Refusal(table, index, str(wrong)))
        return refused

    def _tend(self) -> str | None:
        def tend(database: apsw.Connection) -> str | None:
            if self._now() >= self._expire_at:
                self._expire(database)
                self._expire_at = self._now() + EXPIRE_INTERVAL
            return self._long_log()

        return self._guarded(tend) if self._known is not None else None

    def _expire(self, database: apsw.Connection) -> None:
        oldest = max(self._now() - self._settings.retention_days * DAY, 0)
        before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(oldest))
        for statement in EXPIRE:
            deleted = EXPIRE_SLICE
            while deleted == EXPIRE_SLICE:
                with transaction(database):
                    database.execute(statement, {"before": before, "slice": EXPIRE_SLICE})
                    deleted = database.changes()

    def _long_log(self) -> str | None:
        """Say so when the log grows: it starts anew only when no reader is left who began before its end."""
        size = self._log.stat().st_size if self._log.exists() else 0
        if size <= self._wal_limit:
            return None
        return (
            f"{self._log.name} has {size >> 20} MiB: a program that reads {self._path.name} has kept a transaction "
            "open for long; end it"
        )

    def _release(self) -> None:
        self._known = None
        self._shut()
        self._ownership.give_back()

    def _shut(self) -> None:
        database, self._database = self._database, None
        if database is None:
            return
        gone = not self._named(0)
        with suppress(apsw.Error):  # what failed before may fail again; what was committed is in the log
            if gone:  # SQLite copies no log back into a file that was moved
                database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            database.close(True)
        if gone and self._named(1):
            self._remove_log()

    def _remove_log(self) -> None:
        """Leave no log of ours beside another file in our file's place: SQLite would apply it to that one."""
        for suffix in ("-wal", "-shm"):
            self._path.with_name(f"{self._path.name}{suffix}").unlink(missing_ok=True)

    @property
    def _log(self) -> Path:
        return self._path.with_name(f"{self._path.name}-wal")

    def _in_place(self) -> bool:
        """Whether the names still lead to what is open: SQLite would go on writing to files that nobody can find."""
        return self._named(0) and self._named(1)

    def _named(self, which: int) -> bool:
        try:
            return os.path.samestat(self._opened[which], (self._path, self._log)[which].stat())
        except FileNotFoundError:
            return False
