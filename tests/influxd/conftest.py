"""Two InfluxDBs behind one interface: the real influxd that INFLUXD names, and an imitation of what it answers."""

import csv
import io
import os
import re
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import count
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from connectors.settings import InfluxSettings
from tests.support.ports import free_port

ORG, TOKEN, READ_ONLY = "org", "tok-0123456789", "tok-read-only"
REAL = "influxd"
START_SECONDS = 60

Points = dict[tuple[str, int], dict[str, str]]  # (campaign tag, seconds) -> fields as text


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "influxd: needs the real InfluxDB that `make influxd` builds, named by INFLUXD")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the real one: `-m 'not influxd'` leaves the imitation."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        if "influxd" in getattr(item, "fixturenames", ()) or (parameters and parameters.params.get("influxdb") == REAL):
            item.add_marker("influxd")


class InfluxDB(ABC):
    read_only_token = READ_ONLY

    def __init__(self, url: str = "") -> None:
        self.url = url
        self._names = count()

    def bucket(self, *, retention: int = 0) -> InfluxSettings:
        """Make a bucket of one's own; `retention` in seconds, 0 is for ever."""
        name = f"bucket-{next(self._names)}"
        self._create(name, retention)
        return InfluxSettings.model_validate({"url": self.url, "token": TOKEN, "org": ORG, "bucket": name})

    @abstractmethod
    def _create(self, name: str, retention: int) -> None: ...

    @abstractmethod
    def points(self, bucket: str) -> Points: ...


class Influxd(InfluxDB):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Token {TOKEN}"}, timeout=30)
        owner = {"username": "admin", "password": "admin-secret", "bucket": "first", "org": ORG, "token": TOKEN}
        self._org_id = self._post("/api/v2/setup", owner).json()["org"]["id"]
        permission = {"action": "read", "resource": {"type": "buckets", "orgID": self._org_id}}
        reader = {"orgID": self._org_id, "permissions": [permission]}
        self.read_only_token = self._post("/api/v2/authorizations", reader).json()["token"]

    def close(self) -> None:
        self._http.close()

    def flux(self, query: str, *annotations: str) -> list[list[str]]:
        dialect = {"annotations": annotations, "header": True}
        answer = self._post(f"/api/v2/query?org={ORG}", {"query": query, "dialect": dialect})
        return [row for row in csv.reader(io.StringIO(answer.content.decode(), newline="")) if row]

    def points(self, bucket: str) -> Points:
        header, *rows = self.flux(
            f'from(bucket: "{bucket}") |> range(start: 0, stop: 2200-01-01T00:00:00Z)'
            " |> map(fn: (r) => ({campaign: r.campaign_id, field: r._field, value: string(v: r._value),"
            " seconds: int(v: r._time) / 1000000000})) |> group()"
        ) or [[]]
        found: Points = {}
        for row in (dict(zip(header, values, strict=True)) for values in rows):
            found.setdefault((row["campaign"], int(row["seconds"])), {})[row["field"]] = row["value"]
        return found

    def _create(self, name: str, retention: int) -> None:
        rules = [{"type": "expire", "everySeconds": retention}]
        self._post("/api/v2/buckets", {"orgID": self._org_id, "name": name, "retentionRules": rules})

    def _post(self, path: str, document: Mapping[str, object]) -> httpx.Response:
        return self._http.post(path, json=document).raise_for_status()


class Imitation(InfluxDB):
    """Answers as influxd 2.7.12 was measured to, for lines of the shape of `tests/influxd`."""

    _LINE = re.compile(r"\w+,campaign_id=(\S+) (\S+) (-?\d+)")
    _FIELD = re.compile(r'(\w+)=(?:(".*")|(-?\d+i)|(-?[\d.]+(?:e[+-]?\d+)?))')

    def __init__(self) -> None:
        super().__init__()
        self._retentions: dict[str, int] = {}
        self._points: dict[str, Points] = {}
        self._types: dict[tuple[str, str], str] = {}

    def points(self, bucket: str) -> Points:
        return self._points[bucket]

    def _create(self, name: str, retention: int) -> None:
        self._retentions[name], self._points[name] = retention, {}

    async def write(self, request: web.Request) -> web.Response:
        if request.headers["Authorization"] not in {f"Token {TOKEN}", f"Token {READ_ONLY}"}:
            return refusal(401, "unauthorized access")
        if request.query["org"] != ORG:
            return refusal(404, f'organization name "{request.query["org"]}" not found')
        bucket = request.query["bucket"]
        if bucket not in self._points:
            return refusal(404, f'bucket "{bucket}" not found')
        if request.headers["Authorization"] != f"Token {TOKEN}":
            return refusal(403, "insufficient permissions for write")
        return self._take(bucket, (await request.text()).split("\n"))

    def _take(self, bucket: str, lines: list[str]) -> web.Response:
        parsed = [(line, self._LINE.fullmatch(line)) for line in lines if line]
        bad = [line for line, found in parsed if not found or not self._FIELD.fullmatch(found[2])]
        if bad:
            return refusal(400, "\n".join(f"unable to parse '{line}': invalid number" for line in bad))
        dropped = 0
        for campaign, field, seconds in (found.groups() for _, found in parsed if found):
            name, *values = self._FIELD.fullmatch(field).groups()  # type: ignore[union-attr] # they all match
            kind, value = next((str(kind), value) for kind, value in enumerate(values) if value)
            expired = self._retentions[bucket] and int(seconds) < time.time() - self._retentions[bucket]
            if expired or self._types.setdefault((bucket, name), kind) != kind:
                dropped += 1
            else:
                self._points[bucket].setdefault((campaign, int(seconds)), {})[name] = value.strip('"i')
        if dropped:
            what = f"field type conflict or dropped {dropped} points outside retention policy"
            return refusal(422, f"failure writing points to database: partial write: {what} dropped={dropped}")
        return web.Response(status=204)


def refusal(status: int, message: str) -> web.Response:
    return web.json_response({"code": "some code", "message": message}, status=status)


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    binary = os.environ.get("INFLUXD")
    if not binary:
        missing = "INFLUXD names no influxd: set it to the path that `make influxd` prints"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    folder = tmp_path_factory.mktemp("influxd")
    address = f"127.0.0.1:{free_port()}"
    command = [binary, "--reporting-disabled", "--log-level=warn", f"--http-bind-address={address}"]
    command += [f"--bolt-path={folder}/bolt", f"--engine-path={folder}/engine", f"--sqlite-path={folder}/sqlite"]
    log = folder / "log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            wait_until_ready(process, f"http://{address}/health", log)
            server = Influxd(f"http://{address}")
            yield server
            server.close()
        finally:
            process.kill()  # nothing of it is needed any more


def wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    pytest.fail(f"influxd did not start; its log: {log.read_text()}")


@pytest.fixture(params=["imitation", REAL])
async def influxdb(request: pytest.FixtureRequest) -> AsyncIterator[InfluxDB]:
    if request.param == REAL:
        yield request.getfixturevalue("influxd")
        return
    imitation, app = Imitation(), web.Application()
    app.router.add_post("/api/v2/write", imitation.write)
    async with TestServer(app) as server:
        imitation.url = str(server.make_url(""))
        yield imitation
