"""What tests of several folders share: a real Kafka, as one broker for everybody or one's own to kill."""

import atexit
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import structlog
from confluent_kafka.admin import AdminClient, NewTopic
from hypothesis import HealthCheck, settings

from deploy.local.kafka.broker import SHORT_LIVED, Broker, Missing, fetch_libs, require_java
from tests.support.cut_wire import Wire
from tests.support.ports import free_port

NewTopicName = Callable[..., str]

TALKATIVE = ("connectors", "streams", "httpx", "aiokafka", "faust", "mode")  # loggers that programs give a level

# On a busy machine an example may take long: that says nothing about what it tests.
settings.register_profile("untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a real Kafka, and run it last: `-m 'not broker'` leaves the tests that take seconds.

    Of the others those with a broker of their own come first, the long ones: two processes end at about the same time.
    """
    for item in items:
        if {"kafka", "own_kafka", "wired_kafka", "cluster"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("broker")

    def turn(item: pytest.Item) -> int:
        if item.get_closest_marker("broker") is None:
            return 0
        return 1 if "own_kafka" in getattr(item, "fixturenames", ()) else 2

    items.sort(key=turn)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Leave logs as a test found them: a command that runs within one sets them up for the whole process."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in ("", *TALKATIVE)}
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of a real Kafka: KAFKA_BOOTSTRAP, or a broker started for this run."""
    given = os.environ.get("KAFKA_BOOTSTRAP")
    if given:
        yield given
        return
    broker = _broker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker.bootstrap
    broker.stop()


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Broker]:
    """A running broker of the test's own, to stop, kill, pause and start again."""
    broker = _broker(tmp_path / "kafka")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def wired_kafka(tmp_path: Path) -> Iterator[tuple[Broker, Wire]]:
    """A broker of the test's own, and a wire to it that can be cut: who begins at its port is kept on it."""
    inner = free_port()
    wire = Wire(inner + 1, to=inner)
    broker = _broker(tmp_path / "kafka", wire.listener)
    broker.start()
    yield broker, wire
    wire.close()
    broker.kill()


@pytest.fixture
def new_topic(kafka: str) -> Iterator[NewTopicName]:
    """Makes throw-away topics: `new_topic(partitions=4, config={...})` returns a name."""
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    names: list[str] = []

    def make(partitions: int = 1, config: dict[str, str] | None = None) -> str:
        name = f"test-{uuid.uuid4().hex}"
        admin.create_topics([NewTopic(name, partitions, config=config or {})])[name].result(30)
        names.append(name)
        while name not in admin.list_topics(timeout=30).topics:
            pass  # brokers hear of a new topic a moment after the controller has confirmed it
        return name

    yield make
    if names:
        for deleted in admin.delete_topics(names).values():
            deleted.result(30)


def _broker(data: Path, properties: Callable[[int], str] = lambda _: "") -> Broker:
    require_kafka()
    shutil.copytree(_formatted(), data, dirs_exist_ok=True)
    port = free_port()
    return Broker(port, data, properties(port), SHORT_LIVED)


def require_kafka() -> None:
    """Skip a test on a machine that has no Java or Maven; fail in CI."""
    try:
        require_java()
        fetch_libs()
    except Missing as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must test on a real Kafka: {reason}")
        pytest.skip(f"{reason} (or set KAFKA_BOOTSTRAP)")


@cache
def _formatted() -> Path:
    """Return a new broker's folder, to be copied: to format one takes as long as half a start."""
    folder = Path(tempfile.mkdtemp(prefix="kafka-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Broker(free_port(), folder).format()
    return folder
