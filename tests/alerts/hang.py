"""One thread of a child stands still while the others go on, as in a deadlock: Linux' ptrace."""

import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_ALL_THREADS = 0x40000000  # of waitpid: __WALL
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.argtypes = [ctypes.c_long] * 4
PATIENCE = 30.0  # seconds


@contextmanager
def hanging(thread: int) -> Iterator[None]:
    """Hold a thread of a child of ours still, from a moment on at which it waits in epoll, and so has no lock."""
    deadline = time.monotonic() + PATIENCE
    while "poll" not in _waits_in(thread):
        assert time.monotonic() < deadline, f"thread {thread} never waits in epoll: {_waits_in(thread)}"
    _ptrace(_SEIZE, thread)
    _ptrace(_INTERRUPT, thread)
    os.waitpid(thread, _ALL_THREADS)  # taken here: who waits for the process would take it for its end
    try:
        yield
    finally:
        if Path(f"/proc/{thread}").exists():
            _LIBC.ptrace(_DETACH, thread, 0, 0)


def event_loops(pid: int) -> list[int]:
    """Return the threads of a process that wait in epoll, the main one first, and none that librdkafka has named."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    ours = [int(task.name) for task in tasks if not (task / "comm").read_text().startswith("rdk:")]
    return sorted(thread for thread in ours if "poll" in _waits_in(thread))


def _waits_in(thread: int) -> str:
    return Path(f"/proc/{thread}/wchan").read_text()


def _ptrace(request: int, thread: int) -> None:
    if _LIBC.ptrace(request, thread, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of {thread}")
