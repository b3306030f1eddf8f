"""`cxone-streams worker` as a person meets it who has made a mistake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.demo.processes import SETTINGS
from streams.topology import STAGES

ROOT = Path(__file__).parents[3]
SECRET = "w0rd-of-the-broker"


def worker(tmp_path: Path, *stages: str, **settings: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    environment = {**inherited, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1", **settings}
    return subprocess.run(
        [sys.executable, "-m", "streams", "worker", *stages],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_an_unknown_stage_is_named_beside_those_that_there_are(tmp_path: Path) -> None:
    done = worker(tmp_path, "normalise", "percentile")

    assert done.returncode == 2
    assert "percentile: no such stage" in done.stderr
    assert all(stage in done.stderr for stage in (*STAGES, "all"))
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_no_stage_at_all_is_a_mistake(tmp_path: Path) -> None:
    done = worker(tmp_path)

    assert done.returncode == 2
    assert "STAGE" in done.stderr


def test_help_lists_the_stages(tmp_path: Path) -> None:
    done = worker(tmp_path, "--help")

    assert done.returncode == 0
    assert all(stage in done.stdout for stage in STAGES)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"KAFKA_BOOTSTRAP_SERVERS": "localhost"}, ["KAFKA_BOOTSTRAP_SERVERS", "host:port"]),
        ({"STREAMS_STORE": "disk"}, ["STREAMS_STORE", "memory", "rocksdb"]),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL", "KAFKA_SASL_PASSWORD": SECRET},
            ["KAFKA_SECURITY_PROTOCOL", "SASL_SSL"],
        ),
    ],
)
def test_a_bad_setting_is_named_with_what_would_be_right(
    tmp_path: Path, settings: dict[str, str], named: list[str]
) -> None:
    done = worker(tmp_path, "all", **settings)

    assert done.returncode == 2
    assert all(words in done.stderr for words in named)
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_all_settings_are_checked_before_kafka_is_asked(tmp_path: Path) -> None:
    done = worker(
        tmp_path,
        "influx",
        "crm",
        KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9",
        INFLUX_URL="notaurl",
        INFLUX_TOKEN="t0ken",
        INFLUX_ORG="o",
        INFLUX_BUCKET="b",
    )

    assert done.returncode == 2
    assert "INFLUX_URL: is no URL" in done.stderr
    assert "CRM_URL: is not set" in done.stderr
    assert "Kafka" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_told() -> None:
    done = subprocess.run([sys.executable, "-m", "streams", "--version"], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("cxone-streams ")
