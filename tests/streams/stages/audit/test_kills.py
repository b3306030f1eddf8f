"""A worker that is killed at any moment leaves a trail that its successor goes on with, and that verifies."""

import subprocess
import sys
from pathlib import Path
from random import Random

from streams.core.audit.files_check import check_files
from tests.support import audit_writer
from tests.support.audit_trail import KEYS, PRIVATE, opened

ROOT = Path(__file__).parents[4]


def test_a_trail_survives_kill_9_at_any_moment(tmp_path: Path) -> None:
    pem, folder, rng = tmp_path / "key.pem", tmp_path / "audit", Random(18)
    pem.write_bytes(PRIVATE)
    acknowledged = kills = 0

    while acknowledged < audit_writer.MADE - 1:
        command = [sys.executable, "-m", "tests.support.audit_writer", str(folder), str(pem)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for lines, number in enumerate(writer.stdout):
                acknowledged = max(acknowledged, int(number))
                if lines >= 40 and rng.random() < 0.05 and acknowledged < audit_writer.MADE - 100:
                    writer.kill()
                    kills += 1
                    break
        assert writer.returncode in {0, -9}

    files = {path.name: path.read_bytes() for path in folder.glob("*.jsonl")}
    report = check_files(opened(files), KEYS)
    assert report.findings == []
    assert (report.entries, report.repeated) == (audit_writer.MADE, 0)
    assert kills > 1
