"""The file when its writer is killed at random moments, and when its disk is full or read-only."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.minute_rows import ask
from tests.support.sqlite_writer import MINUTES, row

ROOT = Path(__file__).parents[4]
KILLS = int(os.environ.get("SQLITE_KILLS", "8"))


def test_a_writer_that_is_killed_at_any_moment_loses_nothing_and_stores_nothing_by_half(tmp_path: Path) -> None:
    path, chance = tmp_path / "metrics.db", random.Random(7)
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.support.sqlite_writer", str(path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        ) as writer:
            assert writer.stdout is not None
            taken = [int(writer.stdout.readline()) for _ in range(chance.randint(1, 60))]
            for _ in range(chance.randint(0, 20_000)):  # a moment between two writes, or within one
                pass
            writer.kill()
            taken += [int(line) for line in writer.stdout.read().split("\n") if line]

        assert ask(path, "PRAGMA integrity_check") == ["ok"]
        [position] = ask(path, "SELECT next FROM positions")
        assert position >= taken[-1]
        stored = ask(path, 'SELECT "window", revision, total_interactions FROM metric_snapshots ORDER BY "window"')
        newest = sorted(range(max(position - MINUTES, 0), position), key=lambda offset: offset % MINUTES)
        assert stored == [(row(n)["window"], row(n)["revision"], row(n)["total_interactions"]) for n in newest]


def _may_mount() -> bool:
    unshare = shutil.which("unshare")
    return (
        unshare is not None
        and not subprocess.run([unshare, "-rm", "true"], check=False, capture_output=True).returncode
    )


@pytest.mark.skipif(not _may_mount(), reason="this machine lets nobody mount a file system of one's own")
def test_a_disk_that_is_full_or_read_only_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, "-m", "tests.support.small_disk", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report.pop("full").startswith("Unavailable: metrics.db is on a full disk (database or disk is full")
    assert report.pop("read-only") == "Misconfigured: metrics.db is on a read-only disk (Read-only file system)"
    assert report.pop("taken before") > 3
    assert report == {"nothing lost": True, "integrity": "ok", "rows": True}
