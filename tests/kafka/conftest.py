"""Worker processes that end with their test, and a seed that a run can be repeated with."""

import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import pytest

from deploy.local.kafka.broker import Broker
from tests.kafka.services.workers import WORKER, Worker

NewWorker = Callable[..., Worker]
WORKERS = pytest.StashKey[list[Worker]]()
TOLD = 40  # lines


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test that fails show how the logs of its processes end."""
    report = yield
    if report.failed:
        logs = [log for worker in item.stash.get(WORKERS, []) for log in worker.logs]
        broker = getattr(item, "funcargs", {}).get("own_kafka")
        if isinstance(broker, Broker):
            logs.append(broker.log)
        for log in logs:
            lines = log.read_text("utf-8", "replace").splitlines()[-TOLD:]
            report.sections.append((f"End of {log.parent.name}/{log.name}", "\n".join(lines)))
    return report


@pytest.fixture
def new_worker(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NewWorker]:
    """Makes workers: `new_worker(bootstrap, *stages, STREAMS_...="...")`."""
    workers: list[Worker] = []
    request.node.stash[WORKERS] = workers

    def make(bootstrap: str, *stages: str, program: Sequence[str] = WORKER, **settings: str) -> Worker:
        settings = {"KAFKA_BOOTSTRAP_SERVERS": bootstrap, **settings}
        workers.append(Worker(f"{stages[0]}-{len(workers)}", tmp_path, settings, stages, program))
        return workers[-1]

    yield make
    for worker in workers:
        worker.end()


@pytest.fixture
def seed() -> int:
    """SEED repeats a run's traffic and choices; the moments are the machine's."""
    seed = int(os.environ.get("SEED", time.time_ns() % 100_000))
    print(f"SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    return seed
