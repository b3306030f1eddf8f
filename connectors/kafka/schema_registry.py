"""Schema ids from a schema registry (Confluent's API, which Redpanda and Apicurio speak too)."""

import json
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.common._httpx_compat import httpx  # httpx or its fork: the one that the client has
from confluent_kafka.schema_registry.error import SchemaRegistryError
from pydantic import SecretStr

from connectors.errors import ConfigurationError, ConnectorError
from connectors.http.exchange import LONGEST_BODY
from connectors.redaction import presentable
from connectors.settings import RegistrySettings

NOT_FOUND, TOO_MANY_REQUESTS, SERVER_ERRORS = 404, 429, 500


# The client's own are none, 3 and 1,000: a registry that hangs would hang us.
TIMEOUT, RETRIES, RETRY_WAIT_MS = 4.0, 1, 200
LONGEST_WORDS = 500  # characters of the registry's that are shown
HIGHEST_ID = 2**31 - 1  # four bytes before each record, which others read with a sign


class RegistrySchemaIds:
    """`SchemaIds` of a registry. Blocks for 10 s at most; what was asked once is remembered.

    Raises ConfigurationError when the registry refuses, ConnectorError when it does not answer, or not with an id.
    """

    def __init__(self, client: SchemaRegistryClient, secrets: Iterable[SecretStr] = ()) -> None:
        """`secrets` are hidden in what the registry says."""
        self._client: Any = client
        self._secrets = tuple(secrets)

    def id_for(self, subject: str, schema: dict[str, Any]) -> int:
        """Return the id of `schema` under `subject`; register it unless it is there, so that to read may be enough.

        Raises ConfigurationError when the registry holds it incompatible.
        """
        written = Schema(json.dumps(schema), "AVRO")
        try:
            try:
                schema_id = self._registered(subject, written)
            except LookupError:
                schema_id = self._client.register_schema(subject, written, normalize_schemas=True)
        except SchemaRegistryError as exc:
            raise self._mapped(exc, f"a schema for {subject}") from None
        except Exception as exc:  # the HTTP client's, of whichever kind it uses
            raise ConnectorError(f"the schema registry does not answer: {type(exc).__name__}") from exc
        if type(schema_id) is not int or not 0 <= schema_id <= HIGHEST_ID:  # True is an int, too
            raise ConnectorError(f"the schema registry gives {subject} an id that is no number from 0 to {HIGHEST_ID}")
        return schema_id

    def registered(self, subject: str, schema: dict[str, Any]) -> bool:
        """Whether `schema` is there under `subject`."""
        try:
            self._registered(subject, Schema(json.dumps(schema), "AVRO"))
        except LookupError:
            return False
        except SchemaRegistryError as exc:
            raise self._mapped(exc, f"to look for {subject}") from None
        except Exception as exc:  # as above
            raise ConnectorError(f"the schema registry does not answer: {type(exc).__name__}") from exc
        return True

    def compatible(self, subject: str, schema: dict[str, Any]) -> bool:
        """Whether the registry would take `schema` as the next one of `subject`, by the rule that it has."""
        try:
            return bool(self._client.test_compatibility(subject, Schema(json.dumps(schema), "AVRO")))
        except SchemaRegistryError as exc:
            if exc.http_status_code == NOT_FOUND:
                return True  # it would be the first
            raise self._mapped(exc, f"to compare a schema with {subject}") from None
        except Exception as exc:  # as above
            raise ConnectorError(f"the schema registry does not answer: {type(exc).__name__}") from exc

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _registered(self, subject: str, written: Schema) -> Any:
        """Return the id, whatever the registry calls one. Raises LookupError when there is none."""
        try:
            found = self._client.lookup_schema(subject, written, normalize_schemas=True)
        except SchemaRegistryError as exc:
            if exc.http_status_code == NOT_FOUND:
                raise LookupError(f"no such schema under {subject}") from exc
            raise
        return found.schema_id

    def schema_for(self, schema_id: int) -> dict[str, Any]:
        try:
            found = self._client.get_schema(schema_id)
        except SchemaRegistryError as exc:
            if exc.http_status_code == NOT_FOUND:
                raise LookupError(f"no schema {schema_id} in the registry") from exc
            raise self._mapped(exc, f"to show schema {schema_id}") from None
        except Exception as exc:  # as above
            raise ConnectorError(f"the schema registry does not answer: {type(exc).__name__}") from exc
        if found.schema_type != "AVRO":
            raise LookupError(f"schema {schema_id} is no Avro schema")
        try:
            schema: dict[str, Any] = json.loads(found.schema_str)
        except (TypeError, ValueError, RecursionError):
            raise LookupError(f"schema {schema_id} is no JSON") from None
        return schema

    def _mapped(self, error: SchemaRegistryError, what: str) -> ConnectorError:
        said = presentable(str(error), self._secrets, LONGEST_WORDS)
        if error.http_status_code == TOO_MANY_REQUESTS or error.http_status_code >= SERVER_ERRORS:
            return ConnectorError(f"the schema registry cannot answer now: {said}")
        return ConfigurationError(f"the schema registry refuses {what}: {said}")


class _TooMuchError(Exception):
    """An answer is longer, or takes longer, than any that is needed."""


class _Deadline:
    """Cuts a request that is not over after `TIMEOUT`. The client's own limit counts anew with each byte of a head."""

    def __init__(self) -> None:
        self.ends = time.monotonic() + TIMEOUT
        self._connection: Any = None
        self._timer = threading.Timer(TIMEOUT, self._cut)
        self._timer.daemon = True

    def trace(self, event: str, told: dict[str, Any]) -> None:
        """Follow the steps of the request, as httpcore names them."""
        if event.endswith(_CONNECTED):
            self._connection = told["return_value"]
        elif event == f"{_HEAD}.started":
            self._timer.start()
        elif event in {f"{_HEAD}.complete", f"{_HEAD}.failed"}:
            self._timer.cancel()

    def _cut(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


_HEAD = "http11.receive_response_headers"
_CONNECTED = ("connect_tcp.complete", "start_tls.complete")


class _Bounded(httpx.SyncByteStream):
    def __init__(self, stream: Any, ends: float) -> None:
        self._stream, self._ends = stream, ends

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if size > LONGEST_BODY or time.monotonic() > self._ends:
                raise _TooMuchError
            yield chunk

    def close(self) -> None:
        self._stream.close()


def _limit(request: Any) -> None:
    """Give a request a deadline. It has a connection of its own, for one that was kept cannot be found and cut."""
    request.headers["Connection"] = "close"
    deadline = _Deadline()
    request.extensions = {**request.extensions, "trace": deadline.trace, "ends": deadline.ends}


def _bound(response: Any) -> None:
    """Let the client read so much of an answer, until the deadline, and inflate nothing."""
    response.headers.pop("content-encoding", None)
    response.stream = _Bounded(response.stream, response.request.extensions["ends"])


def registry(settings: RegistrySettings) -> RegistrySchemaIds:
    """Return the registry in the settings. Raises ConfigurationError when they name none."""
    if settings.url is None:
        raise ConfigurationError("SCHEMA_REGISTRY_URL: is not set. Expected: the URL of a schema registry.")
    config: dict[str, Any] = {
        "url": settings.url,
        "timeout": TIMEOUT,
        "max.retries": RETRIES,
        "retries.wait.ms": RETRY_WAIT_MS,
    }
    if settings.username is not None and settings.password is not None:
        config["basic.auth.user.info"] = f"{settings.username}:{settings.password.get_secret_value()}"
    client = SchemaRegistryClient(config)
    session: Any = client._rest_client.session  # noqa: SLF001 - it reads as much as it is given, and inflates it
    session.headers["Accept-Encoding"] = "identity"
    session.event_hooks = {"request": [_limit], "response": [_bound]}
    return RegistrySchemaIds(client, [settings.password] if settings.password is not None else [])
