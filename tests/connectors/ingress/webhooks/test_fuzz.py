"""Requests with anything in them at a door that runs: each has an answer that the door may give, and tells nobody.

`FUZZ_REQUESTS` says how many (400; 10,000 in `make faults`); half of them come from Schemathesis, which `make faults`
installs apart. The door runs on the embedded broker, as a process of its own.
"""

import os
import re
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.ingress.webhooks.callers import SECRET as HEADER
from connectors.kafka.embedded import EmbeddedBroker
from schemas.envelope import DASHBOARD_PATH, DATA_ACTION_PATH
from streams.demo.watch import Watch
from tests.kafka.services.workers import Worker

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "400"))
FUZZ_BIN = os.environ.get("FUZZ_BIN")  # the folder of Schemathesis, which `make faults` installs apart
SECRET = "a-secret-of-sixteen-or-more"
MAY_BE = {200, 400, 401, 404, 405, 408, 413, 415, 503}
GROWS = 40  # MB at most, over all requests

CONTINUE, ANSWER = b"HTTP/1.1 100 Continue\r\n\r\n", re.compile(rb"HTTP/1\.[01] (\d{3}) ")
KNOWN = f"{HEADER}: {SECRET}"
names = st.from_regex("[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True)
values = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)
no_names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
no_values = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=40)
lines = st.one_of(
    st.sampled_from(
        [
            KNOWN,
            KNOWN.upper(),
            f"{HEADER}: {SECRET[:-1]}",
            f"{HEADER} {SECRET}",  # no header at all
            f"{HEADER}: {SECRET}\x00",
            f"Authorization: Bearer {SECRET}",
            "Content-Encoding: gzip",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Expect: 100-continue",
            "Content-Type: text/plain",
            "Content-Type: application/json; charset=utf-16",
            "Upgrade: websocket",
            "Host: y",
        ]
    ),
    st.builds("{}: {}".format, names, values),
    st.builds("{}: {}".format, names, values),
    st.builds("{}: {}".format, no_names, no_values),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ids = st.text(min_size=1, max_size=300) | st.integers(-(10**30), 10**30) | json_values
good = st.integers(0, 10**9).map(lambda number: b'{"id":%d,"dashboardId":"d-%d"}' % (number, number))
bodies = st.one_of(
    good,
    good,
    st.binary(max_size=200),
    json_values.map(lambda value: repr(value).encode("utf-8", "surrogatepass")),
    st.builds(
        lambda key, value, more: b'{"%b":%b,"x":%b}' % (key, _json(value), _json(more)),
        st.sampled_from([b"id", b"dashboardId", b"ID"]),
        ids,
        json_values,
    ),
    st.sampled_from([b"", b"null", b'{"id":NaN}', b'{"id":"\xff"}', b'{"id":"\\ud800"}', b"[" * 2000, b'{"id":"a"} x']),
)


right_paths = st.sampled_from([DATA_ACTION_PATH, DASHBOARD_PATH])
paths = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20).map("/{}".format)


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits
        return str(value).encode()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Worker, str]]:
    with closing(EmbeddedBroker()) as broker, closing(Watch(broker.bootstrap_servers)):  # makes the topics
        settings = {
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "KAFKA_CREATE_TOPICS": "false",
            "CXONE_WEBHOOK_SECRETS": SECRET,
            "WEBHOOKS_PORT": "0",
            "LOG_LEVEL": "debug",
        }
        program = Worker("door", tmp_path_factory.mktemp("door"), settings, ["webhooks"], ("-m", "streams", "connect"))
        address: str = program.start().ready()["http"]
        yield program, address
        assert program.terminate() == 0, program.said("not stopped in order")


def memory_mb(worker: Worker) -> float:
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(worker.pid)], capture_output=True, check=True)
    return int(told.stdout) / 1024


def asked(address: str, request: bytes) -> int:
    """Return the status of the first answer; 0 when the door hung up without one."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while b"\r\n" not in (answer := answer.removeprefix(CONTINUE)) and (data := connection.recv(4096)):
                answer += data
        except ConnectionResetError:
            pass
    found = ANSWER.match(answer)
    return int(found[1]) if found else 0


def test_whatever_is_asked_the_answer_is_one_that_the_door_may_give(door: tuple[Worker, str]) -> None:
    program, address = door
    statuses: Counter[int] = Counter()

    @settings(max_examples=REQUESTS // 4, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        method=st.sampled_from(["POST"] * 12 + ["GET", "PUT", "HEAD", "OPTIONS", "TRACE", "post"]),
        path=st.one_of(right_paths, right_paths, right_paths, paths),
        known=st.integers(0, 9),
        more=st.one_of(st.just([]), st.lists(lines, max_size=4)),
        body=bodies,
    )
    @example("POST", DATA_ACTION_PATH, 9, [], b'{"id":"i-1"}')
    def ask(method: str, path: str, known: int, more: list[str], body: bytes) -> None:
        head = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", "Connection: close"]
        usual = [KNOWN, "Content-Type: application/json"] if known > 1 else []
        request = "\r\n".join([*head, *usual, *more, "", ""]).encode("latin-1") + body
        status = asked(address, request)
        statuses[status] += 1
        assert status in MAY_BE | {0}, request
        if status == 200:
            assert KNOWN.lower() in request.decode("latin-1").lower() or method != "POST"

    ask()
    settled = memory_mb(program)
    ask()

    print(dict(statuses), f"{settled:.0f} -> {memory_mb(program):.0f} MB")  # noqa: T201 - pytest shows it with -rP
    assert statuses[200] > 0
    assert statuses[0] < REQUESTS / 50, "the door hung up on many"
    assert memory_mb(program) - settled < GROWS
    assert SECRET not in program.log.read_text(errors="replace") + program.output.read_text(errors="replace")


if FUZZ_BIN:

    def test_the_door_does_what_its_document_says(door: tuple[Worker, str]) -> None:
        program, address = door
        before = memory_mb(program)

        done = subprocess.run(
            [
                *(f"{FUZZ_BIN}/schemathesis", "run", f"http://{address}/openapi.json", "-H", KNOWN, "--no-color"),
                *("--max-examples", str(REQUESTS // 4)),  # of each of two operations; the others take nothing
            ],
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
            cwd=program.log.parent,
        )

        print("; ".join(re.findall(r".*generated.*|.*No issues.*", done.stdout)))  # noqa: T201 - as above
        assert done.returncode == 0, done.stdout[-4000:]
        assert memory_mb(program) - before < GROWS
        assert SECRET not in program.log.read_text(errors="replace") + program.output.read_text(errors="replace")
