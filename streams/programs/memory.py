"""Memory that is freed stays with the process: what is fetched next goes there again.

glibc gives a large block back to the kernel when it is freed, and the kernel zeroes it for whoever asks next. A worker
frees what it fetched and decompressed some hundred times a second, in blocks of up to megabytes.
"""

import ctypes

# As <malloc.h> names them, and `mallopt` (3) describes
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

LARGEST = 32 << 20  # bytes of a block that is not asked of the kernel by itself: glibc takes no more
KEPT = 64 << 20  # bytes that are free at the end of the heap, before some of them go back


def keep_freed() -> bool:
    """Keep up to `KEPT` of what is freed, where the C library is glibc. Returns whether it is."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST) and mallopt(M_TRIM_THRESHOLD, KEPT))
