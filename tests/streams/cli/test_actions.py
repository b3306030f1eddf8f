"""`cxone-streams actions` where there is nothing to call."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.demo.processes import SETTINGS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("arguments", "settings", "status", "said"),
    [
        (["--url", "http://example.com"], {"CXONE_WEBHOOK_SECRETS": "a" * 16}, 2, "on this machine"),
        ([], {}, 2, "CXONE_WEBHOOK_SECRETS: is not set"),
        (["--ledger", "none/calls"], {"CXONE_WEBHOOK_SECRETS": "a" * 16}, 2, "none/calls cannot be written: No such"),
    ],
)
def test_what_cannot_be_called_is_said(
    tmp_path: Path, arguments: list[str], settings: dict[str, str], status: int, said: str
) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}

    done = subprocess.run(
        [sys.executable, "-m", "streams", "actions", *arguments],
        cwd=tmp_path,
        env={**inherited, "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == status
    assert said in done.stderr
