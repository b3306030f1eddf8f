"""The door as a caller meets it: a real server on a loopback port, with transactions that are a list."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO

import orjson
import pytest
from aiohttp import ClientSession, web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from connectors.errors import AbortedError, PublishError
from connectors.ingress.webhooks import body, server
from connectors.ingress.webhooks.callers import SECRET, Scheme, known_callers
from connectors.ingress.webhooks.delivery import LARGEST_BODY, Endpoint
from connectors.ingress.webhooks.server import Door
from schemas.dead_letters import DEAD_DETAIL, DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.envelope import EVENT_ID, RECEIVED_AT, SOURCE, WEBHOOK_PATH, Outgoing
from schemas.topics import DEAD_LETTERS, RAW_WEBHOOKS
from tests.support.transactions import RecordingTransactions

KEY = "a-secret-of-sixteen-or-more"
PATH = "/webhook/cxone-data-action"
KNOWN = {SECRET: KEY, "Content-Type": "application/json"}
NOW = 1_700_000_000.5


@dataclass
class Answer:
    status: int
    content: dict[str, object]
    headers: dict[str, str]


@dataclass
class Opened:
    url: str
    port: int
    transactions: RecordingTransactions
    door: Door
    session: ClientSession

    async def post(self, sent: bytes = b'{"id":"i1"}', headers: Mapping[str, str] = KNOWN) -> Answer:
        async with self.session.post(self.url + PATH, data=sent, headers={**KNOWN, **headers}) as answer:
            return Answer(answer.status, orjson.loads(await answer.read()), dict(answer.headers))

    async def talk(self, sent: bytes, within: float = 60.0) -> bytes:
        """Send bytes as they are; return all that comes until the door hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        try:
            async with asyncio.timeout(within):
                return await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def opened(scheme: Scheme = "secret", *, deadline: float = 60.0, queue: int = 100) -> AsyncIterator[Opened]:
    transactions = RecordingTransactions()
    door = Door(
        (Endpoint(PATH, (("id",),), "interactionId"), Endpoint("/webhook/other", (("a", "b"), ("c",)), "otherId")),
        known_callers(scheme, [KEY]),
        transactions,
        name="door-1",
        deadline=deadline,
        queue=queue,
        now=lambda: NOW,
    )
    runner = door.runner()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with ClientSession() as session:
        yield Opened(f"http://127.0.0.1:{port}", port, transactions, door, session)
    await runner.cleanup()


async def test_what_comes_is_stored_byte_for_byte_and_then_answered() -> None:
    sent = b'{ "id": "i1",\t"channel": "voice" }'
    async with opened() as at:
        answer = await at.post(sent)

    headers = (
        (SOURCE, b"webhooks:door-1"),
        (RECEIVED_AT, b"1700000000500"),
        (WEBHOOK_PATH, PATH.encode()),
    )
    assert (answer.status, answer.content) == (200, {"status": "accepted", "interactionId": "i1"})
    assert answer.headers["Server"] == "cxone-streams"
    assert at.transactions.records == [Outgoing(RAW_WEBHOOKS.name, b"i1", sent, headers)]


async def test_nothing_is_answered_before_the_commit() -> None:
    async with opened() as at:
        at.transactions.hold = asyncio.Event()
        asking = asyncio.create_task(at.post())
        await asyncio.wait({asking}, timeout=0.1)
        assert not asking.done()

        at.transactions.hold.set()

        assert (await asking).status == 200


async def test_a_body_that_cannot_be_used_is_kept_as_a_dead_letter() -> None:
    async with opened() as at:
        answer = await at.post(b'{"id":""}')

    (letter,) = at.transactions.records
    headers = dict(letter.headers)
    assert answer.status == 400
    assert (letter.topic, letter.value) == (DEAD_LETTERS.name, b'{"id":""}')
    assert headers[DEAD_STAGE] == b"connect webhooks"
    assert headers[DEAD_REASON] == b"id"
    assert answer.content["error"] == headers[DEAD_DETAIL].decode()
    assert headers[DEAD_SOURCE] == b"webhook:door-1:" + PATH.encode()


async def test_a_stranger_is_refused_before_the_body_is_read() -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2000000000\r\n"
    async with opened() as at:
        said = await at.talk(f"{head}Expect: 100-continue\r\n{SECRET}: wrong\r\n\r\n".encode())

    assert said.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in said
    assert at.transactions.records == []


async def test_every_401_is_the_same() -> None:
    async with opened() as at:
        answers = [
            await at.post(headers={SECRET: secret})
            for secret in (
                "",
                "wrong",
                KEY[:-1],
                KEY + "x",
                "\udcff\udcfe".encode("utf-8", "surrogateescape").decode("latin-1"),
            )
        ]

    assert {(answer.status, str(answer.content)) for answer in answers} == {
        (401, "{'status': 'refused', 'error': 'unauthorized'}")
    }


async def test_a_secret_in_a_request_that_is_no_http_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async with opened() as at:
        said = await at.talk(f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{SECRET}: an-unknown-secret\0\r\n\r\n".encode())

    assert said.startswith(b"HTTP/1.0 400 ")
    assert "an-unknown-secret" not in caplog.text
    assert at.transactions.records == []


async def test_who_is_told_to_go_on_sends_its_body() -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 11\r\n"
    async with opened() as at:
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
        writer.write(f"{head}Connection: close\r\nExpect: 100-continue\r\n{SECRET}: {KEY}\r\n\r\n".encode())
        assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        writer.write(b'{"id":"i1"}')
        assert b"200 OK" in await reader.read()
        writer.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Type": "application/json; charset*=utf-16''x"}, 415),
        ({"Content-Type": "application/json;1*"}, 415),
        ({"Content-Type": "application/json; charset=UTF-8"}, 200),
        ({"Content-Type": "application/vnd.cxone+json"}, 200),
        ({"Content-Encoding": "gzip"}, 415),
    ],
)
async def test_only_plain_json_is_taken(headers: dict[str, str], status: int) -> None:
    async with opened() as at:
        assert (await at.post(headers=headers)).status == status
        assert len(at.transactions.records) == (status == 200)


async def test_a_bomb_is_not_unpacked() -> None:
    async with opened() as at:
        assert (await at.post(gzip.compress(bytes(10_000_000)), headers={"Content-Encoding": "gzip"})).status == 415


@pytest.mark.parametrize(("size", "status"), [(LARGEST_BODY, 200), (LARGEST_BODY + 1, 413)])
@pytest.mark.parametrize("declared", [True, False])
async def test_a_mebibyte_is_taken_and_not_a_byte_more(size: int, status: int, *, declared: bool) -> None:
    sent = b'{"id":"i1","x":"' + b"x" * (size - 18) + b'"}'

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 65_536):
            yield sent[start : start + 65_536]

    async with opened() as at:
        async with at.session.post(
            at.url + PATH, data=BytesIO(sent) if declared else pieces(), headers=KNOWN
        ) as answer:
            assert answer.status == status
        assert len(at.transactions.records) == (status == 200)


async def test_a_body_that_does_not_come_is_a_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "WITHIN", 0.05)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n{SECRET}: {KEY}"
    async with opened() as at:
        said = await at.talk(f'{head}\r\n\r\n{{"id":'.encode())

    assert said.startswith(b"HTTP/1.1 408 ")


async def test_slow_headers_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE", 0.1)
    async with opened() as at:
        assert await at.talk(f"POST {PATH} HTTP/1.1\r\nHos".encode()) == b""
        assert await at.talk(b"") == b""


@pytest.mark.parametrize("why", [AbortedError("aborted"), PublishError("not known")])
async def test_what_is_not_committed_is_a_503_that_says_when_to_come_again(why: Exception) -> None:
    async with opened() as at:
        at.transactions.refuse = why
        answer = await at.post()

    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0


async def test_a_commit_that_takes_too_long_is_a_503() -> None:
    async with opened(deadline=0.05) as at:
        at.transactions.hold = asyncio.Event()
        answer = await at.post()
        at.transactions.hold.set()

    assert answer.status == 503


async def test_who_finds_the_queue_full_is_told_at_once() -> None:
    async with opened(queue=2) as at:
        at.transactions.hold = asyncio.Event()
        first = [asyncio.create_task(at.post()) for _ in range(2)]
        for _ in first:
            await at.transactions.asked.acquire()

        assert (await at.post()).status == 503
        at.transactions.hold.set()
        assert [(await each).status for each in first] == [200, 200]
        assert (await at.post()).status == 200
        assert (at.door._room.waiting, at.door._room.bytes) == (0, 0)


async def test_too_many_bytes_are_refused_while_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_BYTES", 10)
    async with opened() as at:
        at.transactions.hold = asyncio.Event()
        first = asyncio.create_task(at.post())
        await at.transactions.asked.acquire()

        assert (await at.post()).status == 503
        at.transactions.hold.set()
        assert (await first).status == 200


async def test_while_kafka_is_away_nobody_waits() -> None:
    async with opened() as at:
        at.transactions.blocked = "Kafka does not answer"

        answer = await at.post()
        async with at.session.get(at.url + "/readyz") as ready, at.session.get(at.url + "/livez") as live:
            assert (ready.status, live.status) == (503, 200)
            assert await ready.json() == {"ok": False, "reasons": ["Kafka does not answer"]}

    assert (answer.status, "Retry-After" in answer.headers) == (503, True)


async def test_a_door_that_stops_sends_callers_away() -> None:
    async with opened() as at:
        at.door.stop()

        assert (await at.post()).status == 503


async def test_a_standard_webhook_goes_by_its_delivery_id() -> None:

    sent = b'{"id":"i1"}'
    signature = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").sign(
        "msg_1", datetime.fromtimestamp(NOW, UTC), sent.decode()
    )
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(NOW)), "webhook-signature": signature}
    transactions = RecordingTransactions()
    callers = known_callers("standard", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    endpoint = Endpoint(PATH, (("id",),), "interactionId")
    door = Door([endpoint], callers, transactions, name="1", deadline=5, queue=10, now=lambda: NOW)
    runner = door.runner()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    async with ClientSession() as session:
        json = {**headers, "Content-Type": "application/json"}
        good = await session.post(url, data=sent, headers=json)
        forged = await session.post(url, data=sent + b" ", headers=json)
        statuses = [good.status, forged.status]
    await runner.cleanup()

    assert statuses == [200, 401]
    (record,) = transactions.records
    assert dict(record.headers)[EVENT_ID] == b"msg_1"


async def test_expert_may_send_any_type() -> None:
    async with (
        opened("hmac") as at,
        at.session.post(at.url + PATH, data=b"x", headers={"Content-Type": "a/b"}) as answer,
    ):
        assert answer.status == 401  # for the signature, not the type


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", PATH, 405),
        ("PUT", PATH, 405),
        ("OPTIONS", PATH, 405),
        ("POST", "/livez", 405),
        ("HEAD", "/livez", 405),
        ("GET", "/", 404),
        ("POST", "/webhook", 404),
        ("POST", PATH + "/", 404),
        ("GET", "/metrics", 200),
        ("GET", "/docs", 200),
        ("GET", "/openapi.json", 200),
    ],
)
async def test_there_is_nothing_else(method: str, path: str, status: int) -> None:
    async with opened() as at, at.session.request(method, at.url + path, headers=KNOWN) as answer:
        assert answer.status == status
        assert "aiohttp" not in answer.headers["Server"]
        assert (status == 405) == ("Allow" in answer.headers)


async def test_the_page_loads_nothing_from_elsewhere() -> None:
    async with opened() as at, at.session.get(at.url + "/docs") as answer:
        page = await answer.text()

    assert "http://" not in page
    assert "https://" not in page
    assert "/webhook/cxone-data-action" in page


@given(
    sent=st.binary(max_size=300),
    path=st.sampled_from([PATH, "/webhook/other", "/x"]),
    headers=st.dictionaries(
        st.sampled_from([SECRET, "Content-Type", "Content-Encoding", "X-Any"]),
        st.text(st.characters(codec="latin-1", categories=["L", "N", "P", "S"]), max_size=20) | st.just(KEY),
    ),
)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_request_is_an_error(sent: bytes, path: str, headers: dict[str, str]) -> None:
    async def ask() -> int:
        async with opened() as at, at.session.post(at.url + path, data=sent, headers={**KNOWN, **headers}) as answer:
            await answer.read()
            return answer.status

    assert asyncio.run(ask()) in {200, 400, 401, 404, 415}
