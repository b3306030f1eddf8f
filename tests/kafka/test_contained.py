"""A worker under the conditions of its container: an unprivileged user, and a file system that is read-only."""

import os
import subprocess
from pathlib import Path

import pytest

from deploy.local.kafka.broker import Broker
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.hours import await_committed, mistakes
from tests.kafka.services import contained
from tests.kafka.services.traffic import Traffic
from tests.kafka.services.workers import NEVER_MISSED

WRITABLE = {"/state", "/tmp"}
THE_KERNELS = ("/dev", "/proc")


def test_a_worker_that_may_write_its_volume_alone_does_its_work(
    own_kafka: Broker, new_worker: NewWorker, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("it takes root to mount a file system and to become somebody else")
    if said := subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False).stderr:
        pytest.skip(f"the kernel gives no mounts of one's own: {said}")
    volume = tmp_path / "volume"
    volume.mkdir()
    program = (contained.__file__, str(volume), "worker")
    settings = {"STREAMS_DATA_DIR": "/state/data", **NEVER_MISSED}
    worker = new_worker(own_kafka.bootstrap, "normalise", "percentiles", program=program, **settings).start()
    worker.ready()
    traffic = Traffic(own_kafka.bootstrap, seed=1, events=500, rate=1000)
    traffic.start()
    traffic.finish()
    await_committed(own_kafka.bootstrap, within=60)

    process = Path(f"/proc/{worker.pid}")
    said_of = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
    mounts = [line.split() for line in (process / "mountinfo").read_text().splitlines()]
    assert set(said_of["Uid"].split()) == set(said_of["Gid"].split()) == {contained.USER}
    assert {int(said_of[each], 16) for each in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert said_of["NoNewPrivs"] == "1"
    assert {
        at for _, _, _, _, at, options, *_ in mounts if "rw" in options.split(",") and not at.startswith(THE_KERNELS)
    } == WRITABLE
    assert mistakes(own_kafka.bootstrap, traffic) == []
    assert [each.name for each in volume.iterdir()] == ["data"]
    assert worker.terminate() == 0, worker.said("not stopped in order")
