"""What a hostile server does to a request."""

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable
from random import Random
from urllib.parse import quote

from tests.attack.ways import BOMB

LONGEST_BODY = 1 << 24
ENDLESS = 4 << 20  # bytes that are sent as fast as they are read; the rest more slowly, for both run on one machine

STATUSES = (
    *("200 OK", "201 Created", "204 No", "302 Found", "400 Bad", "401 Who", "403 No", "404 Where", "409 Conflict"),
    *("412 Old", "422 Unfit", "429 Slow", "500 No", "503 Busy", "999 What"),
)
NAMES = (
    *("access_token", "expires_in", "token_type", "scope", "subscriptionId", "id", "code", "message", "score", "error"),
    *("error_code", "schema", "schemaType", "version", "metrics"),
)
VALUES = (
    *("null", "[]", "{}", "true", "-1", "1e300", '""', '"\\r\\nX: y"', '"\\u0000\\u001b[2J"', "[[[]]]", '"é"'),
    *('"text"', "NaN", "9" * 400),
)
HEADERS: tuple[tuple[str, ...], ...] = (
    (),
    ("Retry-After: 0.000001",),
    ("Retry-After: 1", "Retry-After: x"),
    ("Retry-After: -5",),
    ("ETag: \x7f",),
    ("Content-Type: application/json; charset=hex",),
)
BOMBS: tuple[tuple[bytes, tuple[str, ...]], ...] = (
    (BOMB, ("Content-Encoding: gzip",)),
    (BOMB, ("Content-Encoding: gzip, gzip", "Content-Type: application/json")),
    (b'{"access_token":' * 100_000, ()),
    (b'{"access_token":"t","expires_in":' + b"9" * 900_000 + b"}", ()),
    (b'{"id":' + b"[" * 1000 + b"]" * 1000 + b"}", ()),
    (b'{"message":"' + b"\\u001b]0;" * 100_000 + b'"}', ()),
    (b"{}", tuple(f"Set-Cookie: c{number}={'x' * 3000}" for number in range(60))),
    (b"{}", tuple(f"X-{number}: {'x' * 100}" for number in range(5000))),
    (b"{}", ("Content-Type: application/json; charset=zlib",)),
)

Way = Callable[[], Awaitable[None]]


class Attack:
    """One request, whose head was read. Each way lasts until the client has had enough, or for ever."""

    def __init__(self, random: Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        self._random, self._reader, self._writer, self._head = random, reader, writer, head

    async def make(self, way: str) -> None:
        ways: dict[str, Way] = {
            "slow": self._slow,
            "endless": self._endless,
            "bombed": self._bombed,
            "cut": self._cut,
            "mistyped": self._mistyped,
            "echoed": self._echoed,
        }
        await ways[way]()

    async def _say(self, body: bytes, *headers: str) -> None:
        self._writer.write(_answer(body, self._random.choice(STATUSES), *headers))
        await self._writer.drain()

    async def _slow(self) -> None:
        answer = _answer(b" " * 100_000, self._random.choice(STATUSES), f"X: {'x' * 10_000}")
        at = self._random.choice((0, answer.index(b"\r\n\r\n") + 4))
        self._writer.write(answer[:at])
        while True:
            self._writer.write(answer[at : at + 1])
            await self._writer.drain()
            at += 1
            await asyncio.sleep(0.05)

    async def _endless(self) -> None:
        status = self._random.choice(STATUSES)
        self._writer.write(f"HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        sent, chunk = 0, b"10000\r\n" + b"[" * 0x10000 + b"\r\n"
        while True:
            self._writer.write(chunk)
            await self._writer.drain()
            sent += len(chunk)
            await asyncio.sleep(0 if sent < ENDLESS else 0.05)

    async def _bombed(self) -> None:
        body, headers = self._random.choice(BOMBS)
        await self._say(body, *headers)

    async def _cut(self) -> None:
        answer = _answer(b'{"access_token":"a token","expires_in":3600,"id":"i"}', self._random.choice(STATUSES))
        self._writer.write(answer[: self._random.randrange(len(answer))])
        await self._writer.drain()

    async def _mistyped(self) -> None:
        pairs = ",".join(f'"{name}":{self._random.choice(VALUES)}' for name in NAMES)
        body = self._random.choice((f"{{{pairs}}}", "[]", "null", "7", '"text"', "\ufeff{}", "<html>", "")).encode()
        body = self._random.choice((body, body, b"\xff\xfe" + body))
        await self._say(body, *self._random.choice(HEADERS))

    async def _echoed(self) -> None:
        length = re.search(rb"content-length: *(\d+)", self._head.lower())
        body = await self._reader.readexactly(min(int(length[1]), LONGEST_BODY)) if length else b""
        said, shown = self._written(self._head + body), as_header(self._head)
        said = self._random.choice((said, b'{"error":' + json.dumps(said.decode("latin-1")).encode() + b"}"))
        headers = self._random.choice(((), (f"WWW-Authenticate: {shown}",), (f"Location: /{shown}",)))
        await self._say(said, *headers)

    def _written(self, words: bytes) -> bytes:
        """Return words in one of the ways in which a secret can be written."""
        ways: tuple[Callable[[bytes], bytes], ...] = (
            bytes,
            lambda each: each.replace(b"/", rb"\/"),
            lambda each: quote(each, safe="").encode(),
            base64.b64encode,
            lambda each: repr(each).encode(),
            lambda each: "".join(f"\\u{byte:04x}" for byte in each).encode(),
            lambda each: each[: len(each) // 2],
        )
        return self._random.choice(ways)(words)


def as_header(words: bytes) -> str:
    """Return words as a header can hold them."""
    return "".join(char for char in words.decode("latin-1") if char.isascii() and char.isprintable())[:2000]


def _answer(body: bytes, status: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body
