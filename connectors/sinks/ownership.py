"""Who may write a file: one process of this machine at a time, by a lock on a file beside it."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

LONGEST_NAME = 32  # bytes of a process id


class OwnedError(Exception):
    """Another process has the file."""


class Ownership:
    """The lock on `<file>.lock`. The kernel gives it back when the process ends, however it ends.

    The lock is not on the file itself: a database has locks of its own, which closing any handle of it would drop, and
    a folder's files come and go. It stays on disk when it is given back: if it were removed, two processes could each
    lock a file of that name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}.lock")
        self._handle: int | None = None

    def take(self) -> None:
        """Take the lock, or make sure of it.

        Raises:
            OwnedError: another process has it. OSError: the file can be neither opened nor made.
        """
        if self._handle is not None and self._named():
            return
        self.give_back()
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as taken:
            owner = os.pread(handle, LONGEST_NAME, 0).decode(errors="replace").strip()
            os.close(handle)
            raise OwnedError(f"process {owner or 'unknown'} writes this file") from taken
        self._handle = handle
        with suppress(OSError):  # for people only; a full disk is found out soon enough
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)

    def give_back(self) -> None:
        """Let another process have the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _named(self) -> bool:
        """Whether the name still leads to the file that is locked."""
        assert self._handle is not None  # noqa: S101 - asked only when it is held
        ours = os.fstat(self._handle)
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(ours, there)
