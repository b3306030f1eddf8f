"""The laws hold in Python alone, too: elsewhere the tests run with what is compiled, where it was built."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas import compiled

TESTS = Path(__file__).parents[2]
LAWS = (
    "streams/core/raw_frames/test_frames_law.py",
    "streams/stages/percentiles/test_window_law.py",
    "streams/runtime/driver/test_record_batches.py",
)


@pytest.mark.skipif(not compiled.IS_BUILT, reason="the compiled step was not built: all tests run in Python alone")
def test_the_laws_hold_in_python_alone() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        *map(str, map(TESTS.joinpath, LAWS)),
    ]
    done = subprocess.run(
        command,
        cwd=TESTS.parent,
        env=os.environ | {"CXONE_STREAMS_NO_EXTENSIONS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
