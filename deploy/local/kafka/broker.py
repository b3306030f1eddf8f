"""One real Apache Kafka (KRaft) broker on this machine: `broker.py start|stop [--port 9092] [--data FOLDER]`.

Only the standard library, so that `make kafka` works before anything is installed. The broker keeps its data between
starts; remove its folder to begin afresh.
"""

import argparse
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
POM = Path(__file__).with_name("pom.xml")
LIBS = REPOSITORY / ".kafka" / "libs"
JAVA_VERSION = 17
CLUSTER_ID = "Y3hvbmUtc3RyZWFtczAwMQ"  # any 16 bytes in base64: a cluster of one needs no secret name

SHORT_LIVED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # Java options: it serves after half the CPU

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}/log

# one node has one replica of everything
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# a typing error in a topic's name is an error
auto.create.topics.enable=false

# after a kill the controller waits for the old registration to expire
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500

# what a killed writer left open is aborted when its time is over, and not up to 10 s later
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000

# groups form at once; tests may ask for short sessions, and see compaction within seconds
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.backoff.ms=1000

# the default takes a quarter of a small heap
log.cleaner.dedupe.buffer.size=33554432
"""


class Missing(Exception):
    """No Java or Maven on this machine that will do."""


class Failed(Exception):
    """The broker did not start."""


class Broker:
    """One broker on 127.0.0.1 and its folder. Two objects of the same folder are the same broker."""

    def __init__(self, port: int, data: Path, properties: str = "", java_options: Sequence[str] = ()) -> None:
        """`properties` go over what is usual; `java_options` are for the broker's Java."""
        self.port = port
        self._more, self._java_options = properties, java_options
        self.bootstrap = f"127.0.0.1:{port}"
        self._data = data.resolve()
        self._pid_file = self._data / "pid"
        self._properties = self._data / "server.properties"
        self.log = self._data / "kafka.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the running broker, None when it does not run."""
        try:
            pid = int(self._pid_file.read_text())
        except FileNotFoundError:
            return None
        listed = _output("ps", "-ww", "-o", "stat=,command=", "-p", str(pid))
        alive = str(self._properties) in listed and not listed.startswith("Z")
        return pid if alive else None  # else: a pid from before a crash, which may be someone else's by now

    def start(self, *, timeout: float = 120) -> None:
        """Start unless it runs, and wait until it serves requests.

        Raises `Missing`, or `Failed` with what the broker said.
        """
        if self.pid is not None:
            return
        java = require_java()
        for port in (self.port, self.port + 1):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    raise Failed(f"port {port} is taken by another program; choose another: KAFKA_PORT=9192") from None
        self.format()
        started = "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [java, "-Xmx512m", *self._java_options, started, *_quiet(), "kafka.Kafka", str(self._properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the program in front, not for the broker
            )
        self._pid_file.write_text(str(self._process.pid))
        deadline = time.monotonic() + timeout
        while b"Kafka Server started" not in self.log.read_bytes():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
                raise Failed(f"the broker did not start ({self.log}):\n{tail}")
            time.sleep(0.1)

    def format(self) -> None:
        """Make its folder, unless there is one; `start` does so, too. A copy of a new one is another broker's.

        Raises `Missing`, or `Failed` with what Kafka said.
        """
        self._data.mkdir(parents=True, exist_ok=True)
        usual = PROPERTIES.format(port=self.port, controller=self.port + 1, data=self._data.as_posix())
        self._properties.write_text(usual + self._more)
        if (self._data / "log" / "meta.properties").exists():
            return
        tool = [require_java(), "-XX:TieredStopAtLevel=1", *_quiet(), "kafka.tools.StorageTool", "format"]
        done = subprocess.run(
            [*tool, "-t", CLUSTER_ID, "-c", str(self._properties)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Failed(f"cannot format {self._data}/log: {done.stdout}{done.stderr}")

    def stop(self, *, timeout: float = 30) -> None:
        """Stop in order (TERM); after `timeout` seconds, by force."""
        self._signal(signal.SIGTERM)
        self.resume()
        deadline = time.monotonic() + timeout
        while self.pid is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        self.kill()

    def kill(self) -> None:
        """Kill -9: nothing is flushed or said goodbye to. `start` recovers what the operating system has."""
        self._signal(signal.SIGKILL)
        while self.pid is not None:
            time.sleep(0.02)
        if self._process is not None:
            self._process.wait()
        self._pid_file.unlink(missing_ok=True)

    def pause(self) -> None:
        """Freeze (STOP): sockets stay open, nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        pid = self.pid
        if pid is not None:
            with suppress(ProcessLookupError):  # gone since we looked
                os.kill(pid, number)


def _quiet() -> list[str]:
    return ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{fetch_libs()}/*"]


def require_java() -> str:
    """Return the path of a Java that runs Kafka; raise `Missing`."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    found = re.search(r'version "(\d+)', _output(java, "-version")) if java else None
    if java is None or found is None or int(found[1]) < JAVA_VERSION:
        what = f"Java {found[1]}" if found else "no Java"
        raise Missing(
            f"Kafka needs Java {JAVA_VERSION} or newer, found {what}: apt-get install openjdk-17-jre-headless"
        )
    return java


def fetch_libs() -> Path:
    """Return the folder with Kafka's jars, downloading them with Maven the first time; raise `Missing`."""
    LIBS.parent.mkdir(exist_ok=True)
    with (LIBS.parent / "lock").open("w") as lock:  # several programs may want them at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _fetch_libs()


def _fetch_libs() -> Path:
    if LIBS.exists() and LIBS.stat().st_mtime > POM.stat().st_mtime:
        return LIBS
    maven = shutil.which("mvn")
    if maven is None:
        raise Missing("Kafka's jars are fetched by Maven, which is missing: apt-get install maven")
    with tempfile.TemporaryDirectory(dir=LIBS.parent) as folder:
        jars = Path(folder) / "libs"
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        done = subprocess.run([maven, "-q", "-B", "-f", str(POM), *goal], stdout=sys.stderr, check=False)
        if done.returncode:
            raise Missing(f"Maven could not fetch Kafka's jars (it says why above): {POM}")
        shutil.rmtree(LIBS, ignore_errors=True)
        jars.rename(LIBS)
    return LIBS


def _output(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("--port", type=int, default=9092, help="the next one is taken too, by its controller")
    parser.add_argument("--data", type=Path, help="default: .kafka/PORT in the repository")
    given = parser.parse_args()
    broker = Broker(given.port, given.data or REPOSITORY / ".kafka" / str(given.port))
    if given.action == "stop":
        broker.stop()
        return
    try:
        broker.start()
    except (Missing, Failed) as exc:
        sys.exit(str(exc))
    sys.stdout.write(f"Kafka answers on {broker.bootstrap} (pid {broker.pid})\n")


if __name__ == "__main__":
    main()
