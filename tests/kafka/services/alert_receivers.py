"""Who is told of alerts in tests: a webhook that remembers, and Debian's Alertmanager."""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.kafka.services.workers import until


class Recorder:
    """A webhook on loopback that takes everything: (idempotency key, body) of each request, in order."""

    def __init__(self) -> None:
        self.requests: list[tuple[str | None, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.headers.get("Idempotency-Key"), json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/alerts"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def recorder() -> Iterator[Recorder]:
    webhook = Recorder()
    yield webhook
    webhook.close()


class Alertmanager:
    """The real one, which ALERTMANAGER or the path names; it tells `receiver` of firing and resolved alerts."""

    def __init__(self, folder: Path, receiver: str) -> None:
        binary = os.environ.get("ALERTMANAGER") or shutil.which("prometheus-alertmanager")
        if binary is None:
            if os.environ.get("CI") == "true":
                pytest.fail("CI must test on a real Alertmanager: install prometheus-alertmanager")
            pytest.skip("no Alertmanager: install prometheus-alertmanager, or name one in ALERTMANAGER")
        config = folder / "alertmanager.yml"
        config.write_text(
            "route: {receiver: test, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}\n"
            f"receivers: [{{name: test, webhook_configs: [{{url: '{receiver}', send_resolved: true}}]}}]\n"
        )
        self._log = folder / "alertmanager.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    binary,
                    f"--config.file={config}",
                    f"--storage.path={folder / 'alertmanager'}",
                    "--web.listen-address=127.0.0.1:0",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=log,
            )
        try:
            until(self._address, 60, "Alertmanager listens")
            self.url = f"http://{self._address()}"
            until(self._answers, 60, "Alertmanager answers")
        except AssertionError:
            self.close()
            raise AssertionError(self._log.read_text("utf-8", "replace")) from None

    def active(self) -> list[dict[str, Any]]:
        with urlopen(f"{self.url}/api/v2/alerts?active=true", timeout=30) as answer:
            found: list[dict[str, Any]] = json.loads(answer.read())
            return found

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)

    def _address(self) -> str | None:
        found = re.search(r"address=(127\.0\.0\.1:[1-9]\d*)", self._log.read_text("utf-8", "replace"))
        return found and found[1]

    def _answers(self) -> bool:
        try:
            return self.active() == []
        except OSError:
            return False
