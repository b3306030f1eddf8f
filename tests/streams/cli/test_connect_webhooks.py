"""`cxone-streams connect webhooks` with settings that will not do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.demo.processes import SETTINGS

ROOT = Path(__file__).parents[3]
SECRET = "w0rd-of-the-door"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "CXONE_WEBHOOK_SECRETS: is not set"),
        ({"CXONE_WEBHOOK_SECRETS": SECRET[:15]}, "CXONE_WEBHOOK_SECRETS: secret 1 is shorter than 16 characters"),
        ({"CXONE_WEBHOOK_SECRETS": f"{SECRET},"}, "CXONE_WEBHOOK_SECRETS: secret 2 is shorter than 16 characters"),
        ({"CXONE_WEBHOOK_SECRETS": SECRET, "WEBHOOKS_INSTANCE": "a b"}, "WEBHOOKS_INSTANCE: "),
        ({"CXONE_WEBHOOK_SECRETS": SECRET, "WEBHOOKS_VERIFY": "none"}, "WEBHOOKS_VERIFY: "),
    ],
)
def test_a_wrong_setting_is_named_and_no_secret_told(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}

    done = subprocess.run(
        [sys.executable, "-m", "streams", "connect", "webhooks"],
        cwd=tmp_path,
        env={**inherited, "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 2
    assert said in done.stderr
    assert SECRET[:15] not in done.stderr
    assert "Traceback" not in done.stderr
