"""The folder of the audit's files: lines are added at the end and are on the disk before anything goes on.

A folder has one owner, by a lock that ends with its process. What a killed process leaves of an unfinished line is
taken away before anything is added. A file that grew under somebody else's hand is not written on.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from errno import EINVAL, ENOTSUP
from pathlib import Path

import structlog

from connectors.errors import ConfigurationError, Misconfigured, Unavailable
from connectors.sinks.ownership import OwnedError, Ownership

log = structlog.get_logger()

READ = 1 << 20
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class AuditFolder:
    """One folder, owned until `close`."""

    def __init__(self, path: Path, *, sync: Callable[[int], None] = os.fsync) -> None:
        """Take the folder at `path`, making it if need be. Raises ConfigurationError when it cannot be owned."""
        self._path, self._sync = path, sync
        self._sizes: dict[str, int] = {}  # how long each file has to be, where that is known
        self._ownership = Ownership(path / "dashboard_audit")
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._ownership.take()
        except OwnedError as owned:
            raise ConfigurationError(f"AUDIT_DIR: {path} has one owner, and {owned}") from None
        except OSError as error:
            raise ConfigurationError(f"AUDIT_DIR: {path} cannot be written: {error.strerror}") from None

    def names(self) -> list[str]:
        """Return the names of the files, in order."""
        return sorted(entry.name for entry in self._path.iterdir() if entry.is_file() and entry.suffix == ".jsonl")

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the whole lines of a file, without their ends; none of a file that is not there."""
        try:
            with (self._path / name).open("rb", READ) as file:
                for line in file:
                    if line.endswith(b"\n"):
                        yield line[:-1]
        except FileNotFoundError:
            return

    def repair(self, name: str) -> None:
        """Take away an unfinished line at the end of a file, and remember how long the file is.

        Raises ConfigurationError when that is not possible.
        """
        path = self._path / name
        try:
            if not path.exists():
                return
            whole = _whole(path)
            if path.stat().st_size != whole:
                log.warning("took away an unfinished line", file=name, bytes=path.stat().st_size - whole)
                os.truncate(path, whole)
        except OSError as error:
            raise ConfigurationError(f"AUDIT_DIR: {path} cannot be repaired: {error.strerror}") from None
        self._sizes[name] = whole

    async def append(self, name: str, data: bytes) -> None:
        """Add whole lines to a file; they are on the disk when this returns.

        Raises:
            Unavailable: the disk did not take them; the file is as it was before. Try again.
            Misconfigured: the file is not as this process left it.
        """
        await asyncio.to_thread(self._append, name, data)

    async def close(self) -> None:
        """Let go of the folder."""
        self._ownership.give_back()

    def _append(self, name: str, data: bytes) -> None:
        path = self._path / name
        try:
            file = os.open(path, _WRITE, 0o640)
        except OSError as error:
            raise Unavailable(f"{path} cannot be opened: {error.strerror}") from None
        try:
            size = os.fstat(file).st_size
            if size != self._sizes.get(name, 0):
                raise Misconfigured(
                    f"{path} has {size} bytes, and {self._sizes.get(name, 0)} were written: somebody else writes there"
                )
            self._sizes[name] = self._write(file, size, data)
        except OSError as error:
            raise Unavailable(f"{path} cannot be written: {error.strerror}") from None
        finally:
            os.close(file)

    def _write(self, file: int, size: int, data: bytes) -> int:
        """Return how long the file is then."""
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(file, left) :]
            self._sync(file)
            if not size:  # the file may be new, also when an earlier try made it
                self._sync_folder()
        except OSError:
            os.ftruncate(file, size)
            raise
        return size + len(data)

    def _sync_folder(self) -> None:
        folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._sync(folder)
        except OSError as error:
            if error.errno not in {EINVAL, ENOTSUP}:  # a file system that syncs no folders has nothing to wait for
                raise
        finally:
            os.close(folder)


def _whole(path: Path) -> int:
    """Return how many bytes whole lines take."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            begin = max(end - READ, 0)
            file.seek(begin)
            found = file.read(end - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
    return 0
