"""What the kernel is asked for when large blocks come and go."""

import json
import platform
import subprocess
import sys

import pytest

from streams.programs.memory import keep_freed

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
