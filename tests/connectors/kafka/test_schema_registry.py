import asyncio
import base64
import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from pydantic import SecretStr

from connectors.errors import ConfigurationError, ConnectorError
from connectors.kafka import schema_registry
from connectors.kafka.schema_ids import schema_ids
from connectors.kafka.schema_registry import RegistrySchemaIds
from connectors.settings import RegistrySettings
from schemas.avro import Codec, DecodeError
from schemas.records import InteractionCompleted
from schemas.releases import FileSchemaIds, SchemaIds, releases, subject_of
from tests.support.hostile_http import Answering, Asked, answering, dripping, endless, hostile, response
from tests.support.schema_ids_contract import SchemaIdsContract
from tests.support.waiting_contract import WaitingContract

RECORD = InteractionCompleted("e-1", "sales", 312.0, 14.5, 1_760_000_000_000)


class StandIn:
    """A schema registry on a loopback port: the two requests that we make."""

    def __init__(self) -> None:
        self.subjects: dict[str, list[int]] = {}
        self.schemas: dict[int, dict[str, str]] = {}
        self.read_only = False
        self._answers = threading.Event()
        self._answers.set()
        self.refuses: tuple[int, int, str] | None = None
        self.authorizations: set[str | None] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.resume()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def pause(self) -> None:
        """Take connections and answer nothing, until `resume`."""
        self._answers.clear()

    def resume(self) -> None:
        self._answers.set()

    def register(self, subject: str, schema: dict[str, str]) -> int:
        schema_id = next((known for known, same in self.schemas.items() if same == schema), 100 + len(self.schemas))
        self.schemas[schema_id] = schema
        self.subjects.setdefault(subject, []).append(schema_id)
        return schema_id

    def look_up(self, subject: str, schema: dict[str, str]) -> tuple[int, dict[str, Any]]:
        for schema_id in self.subjects.get(subject, ()):
            if self.schemas[schema_id] == schema:
                return 200, {"subject": subject, "id": schema_id, "version": 1, **schema}
        return 404, {"error_code": 40401, "message": "Subject not found"}

    def answer(self, method: str, path: list[str], body: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if self.refuses is not None:
            status, code, message = self.refuses
            return status, {"error_code": code, "message": message}
        match method, path:
            case "POST", ["subjects", subject]:
                schema = {"schema": body["schema"], "schemaType": body.get("schemaType", "AVRO")}
                return self.look_up(subject, schema)
            case "POST", ["subjects", _, "versions"] if self.read_only:
                return 403, {"error_code": 403, "message": "Forbidden"}
            case "POST", ["subjects", subject, "versions"]:
                schema = {"schema": body["schema"], "schemaType": body.get("schemaType", "AVRO")}
                return 200, {"id": self.register(subject, schema)}
            case "GET", ["schemas", "ids", schema_id] if int(schema_id) in self.schemas:
                return 200, self.schemas[int(schema_id)]
        return 404, {"error_code": 40403, "message": "Schema not found"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
                registry._answers.wait()
                registry.authorizations.add(self.headers.get("Authorization"))
                status, said = registry.answer(self.command, self.path.split("?")[0].strip("/").split("/"), body)
                with suppress(ConnectionError):  # who waited for too long has gone
                    self.send_response(status)
                    self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                    self.end_headers()
                    self.wfile.write(json.dumps(said).encode())

            do_GET = do_POST = _answer  # noqa: N815 - the base class asks for these names

            def log_message(self, *_: object) -> None:
                """Keep the tests quiet."""

        return Handler


@pytest.fixture
def registry() -> Iterator[StandIn]:
    registry = StandIn()
    yield registry
    registry.close()


def _settings(registry: StandIn, **more: object) -> RegistrySettings:
    return RegistrySettings.model_validate({"url": registry.url, **more})


def _impatient(registry: StandIn) -> RegistrySchemaIds:
    """Ask once: the client's own retries wait for seconds."""
    return RegistrySchemaIds(SchemaRegistryClient({"url": registry.url, "max.retries": 0}))


class TestFileSchemaIds(SchemaIdsContract):
    @pytest.fixture
    def ids(self) -> SchemaIds:
        return FileSchemaIds()


class TestRegistrySchemaIds(SchemaIdsContract):
    @pytest.fixture
    def ids(self, registry: StandIn) -> SchemaIds:
        return schema_ids(_settings(registry))


def test_the_schema_is_registered_under_the_topic_and_its_id_written(registry: StandIn) -> None:
    codec = Codec(schema_ids(_settings(registry)))

    data = codec.encoder(InteractionCompleted)(RECORD)

    assert list(registry.subjects) == ["cxone.interactions.completed-value"]
    assert data[:5] == b"\0" + (100).to_bytes(4, "big")
    assert codec.decoder(InteractionCompleted)(data) == RECORD


class TestWaiting(WaitingContract):
    """With the stand-in above."""


def test_who_only_reads_registers_nothing(registry: StandIn) -> None:
    encode = Codec(FileSchemaIds()).encoder(InteractionCompleted)
    written = json.dumps(releases()[subject_of(InteractionCompleted)][-1].schema)
    decode = Codec(schema_ids(_settings(registry))).decoder(InteractionCompleted)
    assert registry.schemas == {}

    its_id = registry.register("by somebody else", {"schema": written, "schemaType": "AVRO"})

    assert decode(b"\0" + its_id.to_bytes(4, "big") + encode(RECORD)[5:]) == RECORD
    assert list(registry.subjects) == ["by somebody else"]


def test_a_schema_that_is_there_is_not_registered_again(registry: StandIn) -> None:
    ids = schema_ids(_settings(registry))
    Codec(ids).encoder(InteractionCompleted)
    registry.read_only = True

    data = Codec(schema_ids(_settings(registry))).encoder(InteractionCompleted)(RECORD)

    assert data[:5] == b"\0" + (100).to_bytes(4, "big")


def test_who_may_not_register_is_told_so(registry: StandIn) -> None:
    registry.read_only = True

    with pytest.raises(ConfigurationError, match=r"refuses a schema for cxone\.interactions\.completed-value"):
        Codec(schema_ids(_settings(registry))).encoder(InteractionCompleted)


def test_times_keep_their_logical_type_in_the_registry(registry: StandIn) -> None:
    Codec(schema_ids(_settings(registry))).encoder(InteractionCompleted)

    assert "timestamp-millis" in registry.schemas[100]["schema"]


def test_another_writers_schema_is_asked_for_once(registry: StandIn) -> None:
    schema = FileSchemaIds().schema_for(1)
    schema["doc"] = "of another writer"
    other = registry.register(subject_of(InteractionCompleted), {"schema": json.dumps(schema), "schemaType": "AVRO"})
    codec = Codec(schema_ids(_settings(registry)))
    data = b"\0" + other.to_bytes(4, "big") + codec.encoder(InteractionCompleted)(RECORD)[5:]
    decode = codec.decoder(InteractionCompleted)

    assert decode(data) == RECORD
    registry.refuses = (500, 50001, "would fail if it were asked")
    assert decode(data) == RECORD


@pytest.mark.parametrize("schema_type", ["JSON", "PROTOBUF"])
def test_an_unknown_or_foreign_schema_makes_a_bad_record(registry: StandIn, schema_type: str) -> None:
    decode = Codec(schema_ids(_settings(registry))).decoder(InteractionCompleted)
    foreign = registry.register("other", {"schema": "{}", "schemaType": schema_type})

    for schema_id in (foreign, 4711):
        with pytest.raises(DecodeError, match=f"schema id {schema_id} is unknown"):
            decode(b"\0" + schema_id.to_bytes(4, "big") + b"body")


def test_a_refusal_says_what_the_registry_said(registry: StandIn) -> None:
    registry.refuses = (409, 409, "Schema being registered is incompatible")

    with pytest.raises(ConfigurationError, match=r"interactions\.completed-value.*incompatible"):
        Codec(schema_ids(_settings(registry))).encoder(InteractionCompleted)


def test_a_registry_that_is_away_is_no_bad_record(registry: StandIn) -> None:
    decode = Codec(_impatient(registry)).decoder(InteractionCompleted)
    registry.close()

    with pytest.raises(ConnectorError, match="does not answer"):
        decode(b"\0\0\0\0\x09body")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_registry_in_trouble_is_no_wrong_setting(registry: StandIn, status: int) -> None:
    decode = Codec(_impatient(registry)).decoder(InteractionCompleted)
    registry.refuses = (status, status * 100, "not now")

    with pytest.raises(ConnectorError, match="cannot answer now") as trouble:
        decode(b"\0\0\0\0\x09body")

    assert not isinstance(trouble.value, ConfigurationError)


def test_credentials_go_to_the_registry_and_into_no_error(registry: StandIn) -> None:
    registry.refuses = (401, 40101, "Unauthorized")
    ids = schema_ids(_settings(registry, username="app", password=SecretStr("app-secret")))

    with pytest.raises(ConfigurationError) as refused:
        Codec(ids).encoder(InteractionCompleted)

    assert registry.authorizations == {"Basic YXBwOmFwcC1zZWNyZXQ="}
    assert "app-secret" not in str(refused.value)


def test_without_a_url_the_checked_in_ids_count() -> None:
    assert isinstance(schema_ids(RegistrySettings(url=None)), FileSchemaIds)


DEEP = b'{"schema":' + json.dumps("[" * 60_000 + "]" * 60_000).encode() + b',"schemaType":"AVRO"}'
BOMB = response(gzip.compress(b" " * 50_000_000), "Content-Encoding: gzip", "Content-Type: application/json")


async def dripping_head(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Give a byte of a header from time to time, and never the last."""
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    "answer",
    [
        *(endless, dripping, dripping_head),
        *(answering(BOMB), answering(response(b"[]")), answering(response(b"{", status="500 x"))),
    ],
    ids=["endless", "dripping", "dripping head", "bomb", "list", "cut"],
)
async def test_an_answer_that_is_none_is_an_outage_soon(answer: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_registry, "TIMEOUT", 0.5)
    async with hostile(answer) as peer:
        ids = schema_registry.registry(RegistrySettings(url=peer.url))
        with pytest.raises(ConnectorError):
            await asyncio.to_thread(ids.schema_for, 7)
        ids.close()


async def test_a_schema_that_is_nested_too_deep_is_none() -> None:
    async with hostile(answering(response(DEEP))) as peer:
        ids = schema_registry.registry(RegistrySettings(url=peer.url))
        with pytest.raises(LookupError):
            await asyncio.to_thread(ids.schema_for, 7)
        ids.close()


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"], ids=["found", "registered"])
@pytest.mark.parametrize("given", ["abc", None, 1.5, -1, 2**40, True])
async def test_an_id_that_no_record_can_carry_is_none(given: object, status: str) -> None:
    says = response(json.dumps({"id": given, "subject": "s", "version": 1, "schema": "{}"}).encode())
    looked_up = says if status == "200 OK" else response(b'{"error_code": 40403, "message": ""}', status=status)
    async with hostile(answering(looked_up, says)) as peer:
        ids = schema_registry.registry(RegistrySettings(url=peer.url))
        with pytest.raises(ConnectorError, match="an id that is no number from 0 to 2147483647"):
            await asyncio.to_thread(ids.id_for, "s", {"type": "string"})
        ids.close()


async def test_words_of_a_registry_are_cut_and_hide_its_password() -> None:
    password = "a-password/of-some-length"
    echoed = base64.b64encode(f"me:{password}".encode()).decode() + quote(password, safe="") + "\x1b[2J"
    said = json.dumps({"error_code": 42201, "message": echoed + "x" * 100_000}).encode()
    async with hostile(answering(response(said, status="422 no"))) as peer:
        settings = RegistrySettings(url=peer.url, username="me", password=SecretStr(password))
        ids = schema_registry.registry(settings)
        with pytest.raises(ConfigurationError) as refused:
            await asyncio.to_thread(ids.schema_for, 7)
        ids.close()

    assert len(str(refused.value)) < 700
    assert str(refused.value).isprintable()
    assert not any(password[at : at + 8] in str(refused.value) for at in range(len(password) - 7))
