"""What CXone's answers about a dashboard mean. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

from streams.stages.dashboards.command import LONGEST_WORDS
from streams.stages.dashboards.json_text import UnreadableError, loads
from streams.stages.dashboards.plan import Found

SCOPES = ("dashboard:read", "dashboard:write", "event:subscribe", "webhook:write")

LONGEST_DOCUMENT = 400_000  # bytes: what is stored of it fits into a record of Kafka's

_STRONG = re.compile(r'"[\x21\x23-\x7e]{1,1024}"', re.ASCII)
_COMPRESSED = re.compile(r"[-;+](gzip|br|deflate|zstd)$")  # how proxies mark the ETag of what they compressed
_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.LOCKED}


class RefusedAnswerError(ValueError):
    """An answer that cannot be worked with: says why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of CXone's, and the seconds that it took. `etag` and `encoding` are its headers, "" without one."""

    status: int
    body: bytes = field(default=b"", repr=False)
    etag: str = ""
    encoding: str = ""
    challenge: str = field(default="", repr=False)
    seconds: float = 0.0
    cut: bool = False

    @property
    def is_success(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def may_pass(self) -> bool:
        """Whether another try may go better."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or self.status in _LATER


class Answered(Protocol):
    """An answer as an HTTP client has it."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def etag(self) -> str: ...
    @property
    def encoding(self) -> str: ...
    @property
    def challenge(self) -> str: ...
    @property
    def cut(self) -> bool: ...


def reply(answer: Answered, seconds: float) -> Reply:
    """Return an answer that took so many seconds."""
    return Reply(answer.status, answer.body, answer.etag, answer.encoding, answer.challenge, seconds, answer.cut)


def found(reply: Reply, by: Iterable[tuple[str, ...]] = ()) -> Found:
    """Return the document that a GET brought; `by` are paths to who changed it last.

    Raises RefusedAnswerError: without a strong ETag of the plain document, a PUT could overwrite what nobody has seen.
    """
    if reply.encoding not in {"", "identity"} or _COMPRESSED.search(reply.etag.removesuffix('"')):
        raise RefusedAnswerError("the answer is compressed, and its ETag another than the document's: turn that off")
    if not reply.etag:
        raise RefusedAnswerError("the answer has no ETag: without one, changing it could overwrite others' edits")
    if reply.etag.startswith("W/"):
        raise RefusedAnswerError(f"the ETag {reply.etag[:100]} is weak: it does not tell every change")
    if not _STRONG.fullmatch(reply.etag):
        raise RefusedAnswerError("the ETag is malformed")
    if reply.cut or len(reply.body) > LONGEST_DOCUMENT:
        raise RefusedAnswerError("the document is too large")
    try:
        document = loads(reply.body)
    except UnreadableError as wrong:
        raise RefusedAnswerError(f"the document cannot be read: {wrong}") from None
    if not isinstance(document, dict):
        raise RefusedAnswerError("the document is no object")
    return Found(document, reply.etag, _who(document, by))


def strong(etag: str) -> str | None:
    """Return an ETag if it is one."""
    return etag if _STRONG.fullmatch(etag) else None


def named_otherwise(reply: Reply, dashboard: str) -> str | None:
    """Return the id under which CXone made a dashboard, if it is not the one that was asked for."""
    try:
        made = loads(reply.body)
    except UnreadableError:
        return None
    name = made.get("id") if isinstance(made, dict) else None
    return _plain(str(name)) if isinstance(name, str | int) and str(name) != dashboard else None


def refusal(reply: Reply, scope: str) -> str:
    """Say why CXone refused, in its words, and which scope is missing where that is the reason."""
    words = _words(reply.body)
    if reply.status == HTTPStatus.FORBIDDEN:
        hint = f"{words} {reply.challenge}"
        missing = [name for name in SCOPES if name in hint] or [scope]
        return f"CXone refused (403): the OAuth client needs {' and '.join(missing)}"
    return f"CXone answered {reply.status} {words}".strip()


def _words(body: bytes) -> str:
    try:
        said = loads(body)
    except UnreadableError:
        return _plain(body.decode("utf-8", "replace"))
    if not isinstance(said, Mapping):
        return ""
    return _plain(" ".join(str(said[name]) for name in ("code", "message", "error") if said.get(name)))


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:LONGEST_WORDS]).strip()


def _who(document: Mapping[str, Any], paths: Iterable[tuple[str, ...]]) -> str | None:
    for path in paths:
        value: Any = document
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, str) and value.strip():
            return _plain(value[:100])
    return None
