"""What a process does with the memory that it needs no more.

Memory that is freed stays with the process for a while: what is fetched next goes there again. glibc gives a large
block back to the kernel when it is freed, and the kernel zeroes it for whoever asks next. A worker frees what it
fetched and decompressed some hundred times a second, in blocks of up to megabytes.

By the clock, what is free then goes back, wherever it lies: a worker whose calls are answered with a megabyte each
would stay 35 MiB larger for good. Circles of garbage are freed then, too. Python looks for them when there are so many
objects, a number that our programs raise, since records are many and make none; but what a peer sent may hang on a
circle of fifty objects, and be large.
"""

import asyncio
import ctypes
import gc
import time
from collections.abc import Awaitable, Callable

# As <malloc.h> names them, and `mallopt` (3) describes
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

LARGEST = 32 << 20  # bytes of a block that is not asked of the kernel by itself: glibc takes no more
KEPT = 64 << 20  # bytes that are free at the end of the heap, before some of them go back
TIDY_EVERY = 10.0  # seconds
QUIET = 0.1  # of a core: with less, not much can be freed

MANY = 100_000  # young objects: to look at so many takes 20 ms, on a slow machine 50
_YOUNG = 1  # the generations of what was made since the last look: what lives on is not looked at again


def keep_freed() -> bool:
    """Keep up to `KEPT` of what is freed, where the C library is glibc. Returns whether it is."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST) and mallopt(M_TRIM_THRESHOLD, KEPT))


def give_back() -> None:
    """Give back to the kernel what is free now, where the C library is glibc."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return
    trim(0)


async def keep_tidy(
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep, spent: Callable[[], float] = time.process_time
) -> None:
    """Free circles that were made lately, and give back what is free, every `TIDY_EVERY` seconds, until cancelled.

    A process that `spent` hardly any CPU meanwhile freed little: it looks every sixth time, which is work by itself.
    Where much is young, as in a backlog or after a large state was restored, a look at it would hold the loop up:
    Python looks itself when it is more.
    """
    looks, quiet = _looks(), 0
    while True:
        before = spent()
        await sleep(TIDY_EVERY)
        quiet = quiet + 1 if spent() - before < QUIET * TIDY_EVERY else 0
        if quiet % 6:
            continue
        if _looks() == looks and gc.get_count()[0] + len(gc.get_objects(_YOUNG)) < MANY:
            gc.collect(_YOUNG)
        looks = _looks()
        give_back()


def _looks() -> int:
    """Return how often Python looked at what lives for a while: of the youngest alone it does so all the time."""
    return sum(generation["collections"] for generation in gc.get_stats()[_YOUNG:])
