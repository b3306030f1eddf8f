"""One schema registry (Apicurio, in memory) on this machine: `registry.py start|stop [--port 8081]`.

Only the standard library, as for `make kafka`. It speaks Confluent's API under /apis/ccompat/v7 and forgets everything
when it stops.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPOSITORY))

from deploy.local.kafka.broker import Failed, Missing, require_java  # noqa: E402 - found only with the line above

VERSION = "3.0.9"  # 3.3 needs Java 21
JAR = f"apicurio-registry-app-{VERSION}-runner.jar"
HOME = REPOSITORY / ".kafka" / f"apicurio-{VERSION}"
# Newer versions of the plugin ask for a parent that is not on Maven Central.
FETCH = "org.apache.maven.plugins:maven-dependency-plugin:2.8:get"


class Registry:
    """A registry on 127.0.0.1 and the folder of its log. Two objects of the same folder are the same registry."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        self._folder = folder.resolve()
        self._pid_file = self._folder / "pid"
        self.log = self._folder / "registry.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the running registry, None when it does not run."""
        try:
            pid = int(self._pid_file.read_text())
        except FileNotFoundError:
            return None
        listed = subprocess.run(
            ["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)],  # noqa: S607 - of every system
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        return pid if f"port={self.port} " in listed and not listed.startswith("Z") else None

    def start(self, *, timeout: float = 120) -> None:
        """Start unless it runs, and wait until it answers. Raises `Missing`, or `Failed` with what it said."""
        if self.pid is not None:
            return
        java, home = require_java(), fetch()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError:
                raise Failed(f"port {self.port} is taken by another program; choose another") from None
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [
            *(java, "-Xmx512m", "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={self.port}"),
            *("-Dquarkus.log.level=WARN", "-Dapicurio.rules.global.compatibility=BACKWARD", "-jar", JAR),
        ]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home, start_new_session=True
            )
        self._pid_file.write_text(str(self._process.pid))
        deadline = time.monotonic() + timeout
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
                raise Failed(f"the registry did not start ({self.log}):\n{tail}")
            time.sleep(0.2)

    def kill(self) -> None:
        """End it at once: it keeps nothing."""
        self._signal(signal.SIGKILL)
        while self.pid is not None:
            time.sleep(0.02)
        if self._process is not None:
            self._process.wait()
        self._pid_file.unlink(missing_ok=True)

    def pause(self) -> None:
        """Freeze (STOP): connections are taken, nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        pid = self.pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=2) as answer:  # noqa: S310 - ours
                return bool(answer.status == 200)  # noqa: PLR2004 - OK
        except (OSError, urllib.error.URLError):
            return False


def fetch() -> Path:
    """Return the folder of the registry's program, downloading it with Maven the first time; raise `Missing`."""
    if (HOME / JAR).exists():
        return HOME
    maven = shutil.which("mvn")
    if maven is None:
        raise Missing("the registry is fetched by Maven, which is missing: apt-get install maven")
    HOME.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HOME.parent) as folder:
        archive, unpacked = Path(folder) / "apicurio.tar.gz", Path(folder) / "unpacked"
        artifact = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
        goal = [FETCH, "-Dtransitive=false", f"-Dartifact={artifact}", f"-Ddest={archive}"]
        done = subprocess.run([maven, "-q", "-B", *goal], stdout=sys.stderr, cwd=folder, check=False)
        if done.returncode or not archive.exists():
            raise Missing("Maven could not fetch the registry (it says why above)")
        with tarfile.open(archive) as tar:
            tar.extractall(unpacked, filter="data")
        with suppress(OSError):  # another program was quicker with the same files
            unpacked.rename(HOME)
    return HOME


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("--port", type=int, default=8081)
    given = parser.parse_args()
    registry = Registry(given.port, REPOSITORY / ".kafka" / f"registry-{given.port}")
    if given.action == "stop":
        registry.kill()
        return
    try:
        registry.start()
    except (Missing, Failed) as exc:
        sys.exit(str(exc))
    sys.stdout.write(f"The schema registry answers: SCHEMA_REGISTRY_URL={registry.url}\n")


if __name__ == "__main__":
    main()
