"""What the kernel is asked for when large blocks come and go, and what goes back to it by the clock."""

import asyncio
import gc
import json
import platform
import subprocess
import sys
import weakref
from contextlib import suppress
from itertools import count

import pytest

from streams.programs.memory import MANY, TIDY_EVERY, give_back, keep_freed, keep_tidy

FREED_AGAIN = """
import ctypes, json, resource, sys
from streams.programs.memory import keep_freed

kept = keep_freed() if sys.argv[1] == "kept" else None
block = ctypes.create_string_buffer(1)
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def use():
    place = libc.malloc(ctypes.c_size_t(20 << 20))
    ctypes.memset(ctypes.c_void_p(place), 1, 20 << 20)
    libc.free(place)

use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    use()
print(json.dumps([kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before]))
"""


def pages(how: str) -> tuple[bool | None, int]:
    """Return what `keep_freed` said, and how many pages the kernel gave for five large blocks, one after the other."""
    done = subprocess.run([sys.executable, "-c", FREED_AGAIN, how], capture_output=True, check=True, text=True)
    kept, faults = json.loads(done.stdout)
    return kept, faults


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such setting")
def test_a_block_that_was_freed_is_not_asked_of_the_kernel_again() -> None:
    kept, faults = pages("kept")

    assert kept
    assert faults < 100, "one block has 5,120"


def test_it_does_nothing_where_the_c_library_has_no_such_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _name: object())

    assert not keep_freed()
    give_back()


# A hundred answers, and behind each a small block that stays.
ANSWERS = """
import json
from pathlib import Path
from streams.programs.memory import give_back, keep_freed

def resident():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith("RssAnon")) // 1024

keep_freed()
before, answers, kept = resident(), [], []
for _ in range(100):
    answers.append(bytearray(b"x") * (1 << 20))
    kept.append(bytearray(1000))
answers.clear()
freed = resident()
give_back()
print(json.dumps([freed - before, resident() - before]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such setting")
def test_what_is_free_goes_back_wherever_it_lies() -> None:
    done = subprocess.run([sys.executable, "-c", ANSWERS], capture_output=True, check=True)
    freed, given_back = json.loads(done.stdout)

    assert (freed > 90, given_back < 10) == (True, True)  # MiB


class Circle:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.parametrize(
    ("looked", "new", "gone"),
    [(None, 0, True), (0, 0, True), (1, 0, False), (None, MANY, False)],
    ids=["quiet", "Python looked at the youngest", "Python looked itself", "much is new"],
)
async def test_circles_of_garbage_go_by_the_clock_unless_much_is_new(
    monkeypatch: pytest.MonkeyPatch, *, looked: int | None, new: int, gone: bool
) -> None:
    slept, given_back, circles = list[float](), list[bool](), list[weakref.ref[Circle]]()
    held = list[list[int]]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if given_back:
            await asyncio.Event().wait()
        if looked is not None:
            gc.collect(looked)
        circles.append(weakref.ref(Circle()))
        held.extend([] for _ in range(new))

    monkeypatch.setattr("streams.programs.memory.give_back", lambda: given_back.append(True))
    gc.disable()
    tidying = asyncio.create_task(keep_tidy(sleep, spent=count(step=2).__next__))
    try:
        while len(slept) <= 1:  # noqa: ASYNC110 - it needs no time
            await asyncio.sleep(0)

        assert (circles[0]() is None) is gone
        assert (slept[0], given_back) == (TIDY_EVERY, [True])
    finally:
        gc.enable()
        tidying.cancel()
        with suppress(asyncio.CancelledError):
            await tidying


@pytest.mark.parametrize(("cores", "looks"), [(0.05, 2), (0.2, 12)], ids=["idle", "busy"])
async def test_who_has_nothing_to_do_tidies_up_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, cores: float, looks: int
) -> None:
    given_back, slept = list[bool](), list[float]()

    async def sleep(seconds: float) -> None:
        if len(slept) == 12:
            raise asyncio.CancelledError
        slept.append(seconds)

    monkeypatch.setattr("streams.programs.memory.give_back", lambda: given_back.append(True))
    with suppress(asyncio.CancelledError):
        await keep_tidy(sleep, spent=lambda: cores * sum(slept))

    assert len(given_back) == looks
