"""A peer that stands before a stand-in: it passes everything on, or does to each connection what nobody should."""

import asyncio
import base64
import gzip
import hashlib
import json
import re
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from urllib.parse import quote

HOST = "127.0.0.1"
LONGEST_REQUEST = 1 << 24
PATIENCE = 20.0  # seconds that one connection is attacked for
ENDLESS = 4 << 20  # bytes that are sent as fast as they are read; the rest more slowly, for both run on one machine

_TOKEN = re.compile(rb'(?:Bearer |Token |access_token=|"token":\s*")([^\s"&]{8,})')
_ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Attack = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]


class Peer:
    """Listens on a free port. `hostile` counts what was done to whom; `tokens` are those that clients showed."""

    def __init__(self, upstream: int, random: Random) -> None:
        self.port = 0
        self.attacks: Counter[str] = Counter()
        self.tokens: set[bytes] = set()
        self._upstream, self._random = upstream, random
        self._hostile = False
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, 0, limit=LONGEST_REQUEST)
        self.port = self._server.sockets[0].getsockname()[1]

    async def turn(self, *, hostile: bool) -> None:
        """Be hostile from now on, or not: whoever is connected is cut off."""
        self._hostile = hostile
        await self._cut_off()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._cut_off()

    async def _cut_off(self) -> None:
        serving = [*self._open]
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.tokens.update(_TOKEN.findall(head))
            if self._hostile:
                async with asyncio.timeout(PATIENCE):
                    await self._attack(reader, writer, head)
            else:
                await self._pass_on(reader, writer, head)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        behind, before = await asyncio.open_connection(HOST, self._upstream)
        before.write(head)
        try:
            pumps = [asyncio.create_task(_pump(reader, before)), asyncio.create_task(_pump(behind, writer))]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            before.transport.abort()

    async def _attack(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        is_socket = b"upgrade: websocket" in head.lower()
        attacks: dict[str, Attack] = self._of_sockets() if is_socket else self._of_requests()
        name = self._random.choice(sorted(attacks))
        self.attacks[f"{'socket' if is_socket else 'request'} {name}"] += 1
        await attacks[name](reader, writer, head)

    # Requests

    def _of_requests(self) -> dict[str, Attack]:
        return {
            "slow": self._slow,
            "endless": self._endless,
            "bombed": self._bombed,
            "cut": self._cut,
            "mistyped": self._mistyped,
            "echoed": self._echoed,
        }

    def _status(self, head: bytes) -> str:
        # A token server that says 400, 401 or 403 refuses the credentials, which ends a connector on purpose.
        statuses = ["200 OK", "201 Created", "204 No", "302 Found", "429 Slow", "500 No", "503 Busy", "999 What"]
        if b"/oauth/" not in head.partition(b"\r\n")[0]:
            statuses += ["400 Bad", "401 Who", "404 Where", "409 Conflict", "412 Old", "422 Unfit"]
        return self._random.choice(statuses)

    async def _slow(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        answer = _answer(b" " * 100_000, self._status(head), "Content-Type: application/json")
        at = self._random.choice((0, answer.index(b"\r\n\r\n") + 4))
        writer.write(answer[:at])
        while True:
            writer.write(answer[at : at + 1])
            await writer.drain()
            at += 1
            await asyncio.sleep(0.05)

    async def _endless(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        status = self._status(head)
        writer.write(f"HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        sent, chunk = 0, b"10000\r\n" + b"[" * 0x10000 + b"\r\n"
        while True:
            writer.write(chunk)
            await writer.drain()
            sent += len(chunk)
            await asyncio.sleep(0 if sent < ENDLESS else 0.05)

    async def _bombed(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        bombs: tuple[tuple[bytes, tuple[str, ...]], ...] = (
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
        body, headers = self._random.choice(bombs)
        writer.write(_answer(body, self._status(head), *headers))
        await writer.drain()

    async def _cut(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        answer = _answer(b'{"access_token":"a token","expires_in":3600,"id":"i"}', self._status(head))
        writer.write(answer[: self._random.randrange(len(answer))])
        await writer.drain()

    async def _mistyped(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        values = (
            "null",
            "[]",
            "{}",
            "true",
            "-1",
            "1e300",
            '""',
            '"\\r\\nX: y"',
            '"\\u0000\\u001b[2J"',
            "[[[]]]",
            '"é"',
        )
        names = (
            "access_token",
            "expires_in",
            "token_type",
            "subscriptionId",
            "id",
            "code",
            "message",
            "score",
            "error",
        )
        pairs = ",".join(f'"{name}":{self._random.choice(values)}' for name in names)
        body = self._random.choice((f"{{{pairs}}}", "[]", "null", "7", '"text"', "\ufeff{}", "<html>", "")).encode()
        body = self._random.choice((body, body, b"\xff\xfe" + body))
        headers = self._random.choice(
            (
                (),
                ("Retry-After: 0.000001",),
                ("Retry-After: 1", "Retry-After: x"),
                ("Retry-After: -5",),
                ("ETag: \x7f",),
            )
        )
        writer.write(_answer(body, self._status(head), *headers))
        await writer.drain()

    async def _echoed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        length = re.search(rb"content-length: *(\d+)", head.lower())
        body = await reader.readexactly(min(int(length[1]), LONGEST_REQUEST)) if length else b""
        said = self._written(head + body)
        answers = (said, b'{"error":' + json.dumps(said.decode("latin-1")).encode() + b"}")
        headers = self._random.choice(((), (f"WWW-Authenticate: {_header(head)}",), (f"Location: /{_header(head)}",)))
        writer.write(_answer(self._random.choice(answers), self._status(head), *headers))
        await writer.drain()

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

    # Sockets

    def _of_sockets(self) -> dict[str, Attack]:
        return {
            "slow": self._slow,
            "endless": self._pings_without_end,
            "bombed": self._frames_too_large,
            "cut": self._cut_frame,
            "mistyped": self._mistyped_frames,
            "echoed": self._echoed_frames,
        }

    async def _pings_without_end(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(_accepted(head) + self._random.choice((b"", _frame(b'{"type":"auth.ok"}'))))
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # typed as a transport that only writes
        endless = self._random.choice((_frame(b"x" * 125, 9) * 100, _frame(b"x" * 1000, 1, last=False)))
        writer.write(endless)
        while True:
            writer.write(endless if endless[0] & 0x80 else _frame(b"x" * 60_000, 0, last=False))
            await writer.drain()
            await asyncio.sleep(0.01)

    async def _frames_too_large(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        frames = (
            struct.pack("!BBQ", 0x81, 127, 2**62) + b"{" * 1000,
            _frame(b'{"type":"message","guest":' + b"[" * 900_000),
            _frame(b" " * 1_200_000),
            _frame(gzip.compress(b" " * 10**6), 1, reserved=0x40),
            *[_frame(b'{"a":' * 2000 + b"1" + b"}" * 2000)] * 2,
        )
        writer.write(_accepted(head) + self._random.choice(frames) * 3)
        await writer.drain()
        await asyncio.sleep(self._random.random())

    async def _cut_frame(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        said = _accepted(head) + _frame(b'{"type":"auth.ok"}') + _frame(b"x" * 1000)
        writer.write(said[: self._random.randrange(len(said))])
        await writer.drain()

    async def _mistyped_frames(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        values = (b"null", b"[]", b"{}", b"1e300", b'"\\u0000"', b"[[[[]]]]", b'"x"', b"true", b'{"a":{"b":[]}}', b"-1")
        names = (b"type", b"eventType", b"direction", b"conversationId", b"guest", b"text", b"timestamp", b"metrics")
        writer.write(_accepted(head) + self._random.choice((b"", _frame(b'{"type":"subscribed"}'))))
        for _number in range(self._random.randrange(200)):
            pairs = b",".join(b'"%b":%b' % (name, self._random.choice(values)) for name in names)
            kind = self._random.choice((1, 1, 1, 1, 1, 2, 10))
            data = b"{%b}" % pairs if kind == 1 else self._random.randbytes(100)
            writer.write(_frame(data, kind))
            await writer.drain()
            await asyncio.sleep(0.01)
        closes = (
            b"",
            _frame(b"\x03", 8),
            _frame(struct.pack("!H", 999) + b"\xff", 8),
            _frame(b"x", 3),
            _frame(b"\xff"),
        )
        writer.write(self._random.choice(closes))
        await writer.drain()

    async def _echoed_frames(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(_accepted(head))
        await writer.drain()
        said = _unmasked(await reader.read(4096))
        self.tokens.update(_TOKEN.findall(said))
        for echo in (said, said.replace(b"/", rb"\/"), head.partition(b"\r\n\r\n")[0]):
            writer.write(_frame(json.dumps({"type": "message", "text": echo.decode("latin-1")}).encode()))
        reason = _header(said)[:100].encode()
        writer.write(_frame(struct.pack("!H", 4000) + reason, 8))
        await writer.drain()
        await asyncio.sleep(0.2)


BOMB = gzip.compress(gzip.compress(b" " * 200_000_000, 9), 9)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


def _answer(body: bytes, status: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def _header(words: bytes) -> str:
    """Return words as a header can hold them."""
    return "".join(char for char in words.decode("latin-1") if char.isascii() and char.isprintable())[:2000]


def _accepted(head: bytes) -> bytes:
    found = re.search(rb"sec-websocket-key: *(\S+)", head, re.IGNORECASE)
    digest = hashlib.sha1((found[1] if found else b"").decode("latin-1").encode() + _ACCEPT.encode()).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


def _frame(data: bytes, kind: int = 1, *, last: bool = True, reserved: int = 0) -> bytes:
    first = (0x80 if last else 0) | reserved | kind
    if len(data) < 126:
        return struct.pack("!BB", first, len(data)) + data
    if len(data) < 1 << 16:
        return struct.pack("!BBH", first, 126, len(data)) + data
    return struct.pack("!BBQ", first, 127, len(data)) + data


def _unmasked(data: bytes) -> bytes:
    """Return what a client's first short frame says."""
    size = data[1] & 0x7F if len(data) > 1 else 0
    at = 4 if size == 126 else 2
    mask, said = data[at : at + 4], data[at + 4 :]
    return bytes(byte ^ mask[number % 4] for number, byte in enumerate(said)) if len(mask) == 4 else b""
