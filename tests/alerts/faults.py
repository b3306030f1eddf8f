"""What goes wrong, and what has to fire over it."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from confluent_kafka import Producer

from schemas.topics import RAW_INTERACTIONS
from tests.alerts.hang import event_loops, hanging
from tests.alerts.system import System
from tests.kafka.services.guest_traffic import GuestTraffic

Fault = Callable[[System], AbstractContextManager[object]]
FULL = 0.92  # of the disk
MANY_GUESTS = 150.0  # messages a second
GARBAGE = 300  # records a second


@dataclass(frozen=True)
class Wanted:
    """An alert that a fault makes fire."""

    rule: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A fault lasts for as long as the context of `fault`: entered, it is there; left, it is mended."""

    words: str
    fault: Fault
    wanted: tuple[Wanted, ...]


@contextmanager
def _again_and_again(what: Callable[[], object], every: float) -> Iterator[None]:
    """Do it in a thread until the context is left. Raises what it raised."""
    stop, failed = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            while not stop.is_set():
                what()
                stop.wait(every)
        except BaseException as failure:  # noqa: BLE001 - told to whoever waits
            failed.append(failure)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
    if failed:
        raise failed[0]


@contextmanager
def _killed(system: System) -> Iterator[None]:
    normalise = system.programs["normalise"]
    for worker in normalise.running:
        normalise.kill(worker)
    yield
    normalise.start()


@contextmanager
def _behind_retention(system: System) -> Iterator[None]:
    normalise = system.programs["normalise"]
    for worker in normalise.running:
        normalise.stop(worker)
    time.sleep(3.0)
    system.delete_records()
    normalise.start().ready()
    yield


@contextmanager
def _garbage(system: System) -> Iterator[None]:
    producer = Producer({"bootstrap.servers": system.broker.bootstrap, "log_level": 0})

    def produce() -> None:
        for number in range(GARBAGE // 10):
            producer.produce(RAW_INTERACTIONS.name, b"{garbage", str(number).encode())
        producer.poll(0)

    with _again_and_again(produce, 0.1):
        yield
    producer.flush(30)


@contextmanager
def _crashing(system: System) -> Iterator[None]:
    influx = system.programs["influx"]

    def crash() -> None:
        for worker in influx.running:
            influx.kill(worker)
        influx.start()

    with _again_and_again(crash, 8.0):
        yield


@contextmanager
def _consumer_hangs(system: System) -> Iterator[None]:
    influx = system.programs["influx"]
    (worker,) = influx.running
    worker.ready()
    _main, *others = event_loops(worker.pid)
    assert others, "no thread of a consumer waits in epoll"
    with hanging(others[0]):
        yield
    influx.mend()


@contextmanager
def _one_of_two_hangs(system: System) -> Iterator[None]:
    percentiles = system.programs["percentiles"]
    with hanging(percentiles.running[0].pid):
        yield
    percentiles.mend()


@contextmanager
def _frozen(system: System) -> Iterator[None]:
    (worker,) = system.programs["influx"].running
    worker.pause()
    yield
    worker.resume()
    system.programs["influx"].mend()


@contextmanager
def _slow_crm(system: System) -> Iterator[None]:
    system.cxone.fault(crm_seconds=5)
    GuestTraffic(system.broker.bootstrap, seed=2, messages=int(120 * MANY_GUESTS), rate=MANY_GUESTS).start()
    yield
    system.cxone.fault(crm_seconds=0)


def _at_cxone(fault: Mapping[str, object], mended: Mapping[str, object]) -> Fault:
    @contextmanager
    def there(system: System) -> Iterator[None]:
        system.cxone.fault(**fault)
        yield
        system.cxone.fault(**mended)

    return there


def _at_the_chat(fault: Mapping[str, object], mended: Mapping[str, object]) -> Fault:
    @contextmanager
    def there(system: System) -> Iterator[None]:
        system.chat.fault(**fault)
        yield
        system.chat.fault(**mended)

    return there


@contextmanager
def _closed_again_and_again(system: System) -> Iterator[None]:
    with _again_and_again(lambda: system.chat.fault(close=1012), 1.0):
        yield


@contextmanager
def _full_disk(system: System) -> Iterator[None]:
    disk = os.statvfs(system.disk)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    ballast = system.disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, int(free - (1 - FULL) * total)))
    yield
    ballast.unlink()


UNAVAILABLE = {"status": 503}

# Those of one lane one after the other, the lanes side by side: no two lanes touch the same program.
LANES: tuple[tuple[Case, ...], ...] = (
    (
        Case(
            "CXone takes 2.5 s to route a message",
            _at_cxone({"routing_seconds": 2.5}, {"routing_seconds": 0}),
            (Wanted("RoutingLate"),),
        ),
        Case(
            "the CRM takes 5 s for an answer, and 150 messages a second come",
            _slow_crm,
            (Wanted("LagGrows", {"stage": "crm"}),),
        ),
        Case(
            "the CRM answers 503",
            _at_cxone({"crm": UNAVAILABLE}, {"crm": None}),
            (
                Wanted("SinkRefuses", {"peer": "the CRM"}),
                Wanted("NotReady", {"of": "crm"}),
                Wanted("NothingAcknowledged", {"stage": "crm"}),
            ),
        ),
    ),
    (
        Case(
            "`normalise` is killed and not started again",
            _killed,
            (
                Wanted("ProgramDown", {"program": "normalise"}),
                Wanted("WatermarkStands", {"topic": RAW_INTERACTIONS.name}),
            ),
        ),
        Case(
            "Kafka deletes what a stopped `normalise` has not read",
            _behind_retention,
            (Wanted("RecordsLostToRetention", {"topic": RAW_INTERACTIONS.name}),),
        ),
        Case(
            "300 records of garbage a second come to the raw topic",
            _garbage,
            (Wanted("DeadLetterShare", {"of": "normalise"}),),
        ),
    ),
    (
        Case(
            "`influx` is killed every 8 s, and started again",
            _crashing,
            (Wanted("CrashLoop", {"program": "influx"}),),
        ),
        Case("the thread of `influx`'s consumer hangs", _consumer_hangs, (Wanted("NotAlive", {"of": "influx"}),)),
        Case("`influx` is frozen (SIGSTOP)", _frozen, (Wanted("ProgramDown", {"program": "influx"}),)),
    ),
    (
        Case(
            "one of two workers of `percentiles` hangs, and its heartbeats go on",
            _one_of_two_hangs,
            (
                Wanted("PartitionsWithoutOwner", {"stage": "percentiles"}),
                Wanted("ProgramDown", {"program": "percentiles"}),
            ),
        ),
    ),
    (
        Case(
            "the socket is closed once a second",
            _closed_again_and_again,
            (Wanted("SocketFlaps", {"connector": "messaging"}),),
        ),
        Case(
            "tokens are revoked, and the token server answers 401",
            _at_the_chat({"token": {"status": 401}, "revoke": True}, {"token": None}),
            (Wanted("TokenRefused", {"program": "connect-messaging"}),),
        ),
        Case(
            "the socket is closed, and its handshake answered with 503",
            _at_the_chat({"handshake": UNAVAILABLE, "close": 1012}, {"handshake": None}),
            (Wanted("SocketDown", {"connector": "messaging"}),),
        ),
    ),
    (Case("the broker's disk (a tmpfs) is filled to 92 %", _full_disk, (Wanted("DiskFull"),)),),
)
