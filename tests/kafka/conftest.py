"""Worker processes that end with their test, and a seed that a run can be repeated with."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.kafka.services.workers import WORKER, Worker

NewWorker = Callable[..., Worker]


@pytest.fixture
def new_worker(tmp_path: Path) -> Iterator[NewWorker]:
    """Makes workers: `new_worker(bootstrap, *stages, STREAMS_...="...")`."""
    workers: list[Worker] = []

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
