"""Debian's Prometheus and Alertmanager with the product's rules, and what they say of alerts."""

import json
import os
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.alerts.scaled import configuration, rules
from tests.kafka.services.workers import until
from tests.support.ports import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
PRODUCT = DEPLOY / "prometheus"
FILES = {"cxone-streams": "programs.json", "redpanda": "broker.json"}  # of the targets of each job
PROMETHEUS, ALERTMANAGER = "prometheus", "prometheus-alertmanager"  # as Debian names them
LOOK = 0.25  # seconds between two looks at the alerts


@dataclass
class Episode:
    """One alert, from the moment at which it fired to its end (None: not yet). Seconds of the monotonic clock."""

    rule: str
    labels: Mapping[str, str]
    fired: float
    ended: float | None = None

    def is_of(self, rule: str, labels: Mapping[str, str]) -> bool:
        return rule == self.rule and labels.items() <= self.labels.items()

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in sorted(self.labels.items()) if name not in _USUAL)
        return f"{self.rule}{{{shown}}}"


_USUAL = {"alertname", "severity", "job", "instance"}


@dataclass
class Prometheus:
    """It scrapes what `set_targets` names, and evaluates the product's rules with durations divided by `factor`.

    `arrived` has the names of alerts that Alertmanager was told of, `open_there` of those that are not over there.
    """

    folder: Path
    factor: float
    episodes: list[Episode] = field(default_factory=list)
    pending: set[str] = field(default_factory=set)
    arrived: set[str] = field(default_factory=set)
    open_there: set[str] = field(default_factory=set)
    _targets: dict[str, dict[str, list[str]]] = field(default_factory=lambda: {job: {} for job in FILES})
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _watching: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closing: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self.folder.mkdir()
        self._write()
        (self.folder / "rules.yml").write_text(rules((PRODUCT / "rules.yml").read_text(), self.factor))
        here, there = (f"127.0.0.1:{port}" for port in _two_free_ports())
        self.url, self._alertmanager = f"http://{here}", f"http://{there}"
        wanted = configuration((PRODUCT / "prometheus.yml").read_text(), self.factor, FILES, there)
        (self.folder / "prometheus.yml").write_text(wanted)
        self._start(
            ALERTMANAGER,
            f"--config.file={DEPLOY / 'alertmanager' / 'alertmanager.yml'}",
            "--storage.path=alertmanager",
            f"--web.listen-address={there}",
            "--cluster.listen-address=",
        )
        self._start(
            PROMETHEUS, "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={here}"
        )
        until(self._answer, 60, "Prometheus and Alertmanager answer")
        self._watching = threading.Thread(target=self._watch, name="alerts", daemon=True)
        self._watching.start()

    def close(self) -> None:
        self._closing.set()
        if self._watching is not None:
            self._watching.join(30)
        for process in self._processes:
            process.terminate()
            process.wait(30)

    def set_targets(self, job: str, name: str, addresses: list[str]) -> None:
        """Say where the containers of a name are, as a name server does: those that run."""
        with self._lock:
            self._targets[job][name] = addresses
            self._write()

    def firing(self) -> list[Episode]:
        return [each for each in self.episodes if each.ended is None]

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Return what an expression comes to now."""
        found: list[dict[str, Any]] = self._get("query?" + urllib.parse.urlencode({"query": query}))["result"]
        return found

    def _watch(self) -> None:
        while not self._closing.wait(LOOK):
            try:
                alerts = self._get("alerts")["alerts"]
                self._look_at_alertmanager()
            except OSError:
                continue
            now = time.monotonic()
            firing = [alert["labels"] for alert in alerts if alert["state"] == "firing"]
            self.pending = {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "pending"}
            for episode in self.firing():
                if episode.labels not in firing:
                    episode.ended = now
            known = [each.labels for each in self.firing()]
            self.episodes += [Episode(each["alertname"], each, now) for each in firing if each not in known]

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}", timeout=10) as answer:
            return json.loads(answer.read())["data"]

    def _look_at_alertmanager(self) -> None:
        with urllib.request.urlopen(f"{self._alertmanager}/api/v2/alerts?active=true", timeout=10) as answer:
            self.open_there = {alert["labels"]["alertname"] for alert in json.loads(answer.read())}
        self.arrived |= self.open_there

    def _start(self, program: str, *arguments: str) -> None:
        with (self.folder / f"{program}.log").open("wb") as log:
            process = subprocess.Popen([program, *arguments], cwd=self.folder, stdout=log, stderr=log)
        self._processes.append(process)

    def _answer(self) -> bool:
        try:
            self._look_at_alertmanager()
            return bool(self.ask("vector(1)"))
        except OSError:
            return False

    def _write(self) -> None:
        for job, file in FILES.items():
            named = self._targets[job].items()
            groups = [{"targets": where, "labels": {"__meta_dns_name": name}} for name, where in named if where]
            whole = self.folder / f"{file}.new"
            whole.write_text(json.dumps(groups))
            whole.rename(self.folder / file)


def _two_free_ports() -> tuple[int, int]:
    port = free_port()  # and the next is free, too
    return port, port + 1


class DiskMetrics:
    """Redpanda's two metrics of a disk, of the one that the folder is on."""

    def __init__(self, folder: Path) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                disk = os.statvfs(folder)
                free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
                self.send_response(200)
                self.end_headers()
                text = f"redpanda_storage_disk_free_bytes {free}\nredpanda_storage_disk_total_bytes {total}\n"
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
