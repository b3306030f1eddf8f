"""What is watched: a real Kafka on a small disk, simulators, connectors and workers, and their Prometheus."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from deploy.local.kafka.broker import SHORT_LIVED, Broker
from schemas.topics import RAW_INTERACTIONS
from tests.alerts.monitoring import DiskMetrics, Prometheus
from tests.kafka.judges.guests import Callee
from tests.kafka.services.guest_traffic import GuestTraffic
from tests.kafka.services.workers import WORKER, Worker
from tests.support.ports import free_port

PROGRAM = ("-m", "streams")
DISK = 512 << 20  # bytes
INTERACTIONS, GUESTS = 100.0, 4.0  # a second, all the time
LONGEST_RUN = 1200  # seconds


class Containers:
    """Processes of one program. Each start has another address, as with Docker and Kubernetes it may have."""

    _ports: ClassVar[set[int]] = set()  # of all programs: a process takes its own a second after it was found free

    def __init__(self, name: str, new: Callable[[str, int], Worker], prometheus: Prometheus) -> None:
        self.name, self._new, self._prometheus = name, new, prometheus
        self._running: dict[Worker, str] = {}
        self._started = 0

    @property
    def running(self) -> list[Worker]:
        return list(self._running)

    def start(self) -> Worker:
        while (port := free_port()) in self._ports:
            pass
        self._ports.add(port)
        self._started += 1
        worker = self._new(f"{self.name}-{self._started}", port).start()
        self._running[worker] = f"127.0.0.1:{port}"
        self._tell()
        return worker

    def kill(self, worker: Worker) -> None:
        """Kill -9; the container goes with it."""
        worker.kill()
        self.forget(worker)

    def stop(self, worker: Worker) -> None:
        worker.terminate()
        self.forget(worker)

    def forget(self, worker: Worker) -> None:
        del self._running[worker]
        self._tell()

    def mend(self) -> None:
        """Start again what has ended by itself."""
        for worker in self.running:
            if not worker.runs:
                self.forget(worker)
                self.start().ready()

    def end(self) -> None:
        for worker in self.running:
            worker.end()

    def _tell(self) -> None:
        self._prometheus.set_targets("cxone-streams", self.name, list(self._running.values()))


@dataclass
class System:
    """All of it. `cxone` is where interactions, guests' routing, the CRM and InfluxDB are; `chat` only has a socket."""

    broker: Broker
    prometheus: Prometheus
    disk: Path
    cxone: Callee
    chat: Callee
    programs: dict[str, Containers]

    def check(self) -> None:
        """Fail for a process that has ended by itself."""
        for program in self.programs.values():
            for worker in program.running:
                assert worker.runs, worker.said(f"{program.name} ended by itself")

    def ends(self, topic: str) -> dict[TopicPartition, int]:
        """Return the end of each partition."""
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "alerts"})
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        places = [TopicPartition(topic, number) for number in partitions]
        ends = {place: consumer.get_watermark_offsets(place, timeout=30)[1] for place in places}
        consumer.close()
        return ends

    def delete_records(self) -> None:
        """Do what retention does: delete all that the raw topic of interactions has."""
        ends = self.ends(RAW_INTERACTIONS.name)
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap, "log_level": 0})
        for place, end in ends.items():
            place.offset = end
        for deleted in admin.delete_records(list(ends)).values():
            deleted.result(30)


@contextmanager
def running(folder: Path, factor: float) -> Iterator[System]:
    """Start everything on loopback, and yield it when all are ready."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)], check=True)
    with ExitStack() as stack:
        stack.callback(subprocess.run, ["umount", str(disk)], check=False)  # else its folder cannot be removed
        port = free_port()
        broker = Broker(port, disk / "kafka", "", SHORT_LIVED)
        broker.start()
        stack.callback(broker.kill)
        metrics = DiskMetrics(disk)
        stack.callback(metrics.close)
        prometheus = Prometheus(folder / "prometheus", factor)
        stack.callback(prometheus.close)
        prometheus.start()
        prometheus.set_targets("redpanda", "broker", [metrics.address])

        def process(name: str, settings: dict[str, str], arguments: Sequence[str], program: Sequence[str]) -> Worker:
            return Worker(name, folder, {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap, **settings}, arguments, program)

        def once(name: str, *arguments: str) -> Worker:
            worker = process(name, {}, arguments, PROGRAM).start()
            stack.callback(worker.end)
            return worker

        assert once("topics", "topics", "create").exit_code(within=120) == 0
        cxone = once("cxone", "simulate", f"--rate={INTERACTIONS}", "--speedup=1", "--history-hours=0").ready()
        chat = once("chat", "simulate", "--count=1").ready()
        callee = Callee(cxone)
        settings = {
            **callee.settings,
            "KAFKA_CREATE_TOPICS": "false",
            "CXONE_ORG_DOMAIN": "alerts",
            "CXONE_INTERACTIONS_TOKEN_URL": cxone["token_url"],
            "CXONE_INTERACTIONS_WS_URL": cxone["ws_url"],
            "INFLUX_URL": cxone["influx_url"],
            "INFLUX_TOKEN": "simulator-token",
            "INFLUX_ORG": "cxone",
            "INFLUX_BUCKET": "cxone",
            "CRM_WAIT": "2",
        }
        to_chat = {"CXONE_MESSAGING_TOKEN_URL": chat["messaging_token_url"]}
        to_chat["CXONE_MESSAGING_WS_URL"] = chat["messaging_ws_url"]

        programs: dict[str, Containers] = {}

        def program(name: str, *arguments: str, count: int = 1, by: Sequence[str] = WORKER, **more: str) -> None:
            def new(name: str, port: int) -> Worker:
                return process(name, {**settings, **more, "STREAMS_HTTP_PORT": str(port)}, arguments, by)

            programs[name] = Containers(name, new, prometheus)
            for _ in range(count):
                programs[name].start()
            stack.callback(programs[name].end)

        hasty = str(Path(__file__).with_name("hasty_connector.py"))
        program("connect-interactions", "connect", "interactions", by=PROGRAM)
        program("connect-messaging", str(factor), by=(hasty,), **to_chat)
        program("normalise", "normalise")
        program("percentiles", "percentiles", count=2)
        program("influx", "influx")
        program("messages", "messages", "rate-limit")
        program("routing", "routing")
        program("crm", "crm")
        with ThreadPoolExecutor() as pool:
            list(pool.map(Worker.ready, [worker for each in programs.values() for worker in each.running]))
        GuestTraffic(broker.bootstrap, seed=1, messages=int(GUESTS * LONGEST_RUN), rate=GUESTS).start()
        yield System(broker, prometheus, disk, callee, Callee(chat), programs)
