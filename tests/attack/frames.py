"""What a hostile server does to a socket, once it has accepted it."""

import asyncio
import base64
import gzip
import hashlib
import json
import re
import struct
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from urllib.parse import quote

from tests.attack.answers import as_header

_ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

VALUES = (b"null", b"[]", b"{}", b"1e300", b'"\\u0000"', b"[[[[]]]]", b'"x"', b"true", b'{"a":{"b":[]}}', b"-1")
NAMES = (
    *(b"type", b"eventType", b"direction", b"conversationId", b"guest", b"text", b"timestamp", b"metrics", b"payload"),
    *(b"eventId", b"data", b"metadata", b"interactionId"),
)
ANALYTICS, MESSAGING, INTERACTIONS = "analytics socket", "messaging socket", "interactions socket"
WELCOMES = {
    # Mostly the second: nothing else makes it ask for a subscription.
    ANALYTICS: (b'{"type":"subscribed"}', *[b'{"type":"error","code":"unknown_subscription"}'] * 3),
    MESSAGING: (b'{"type":"auth.ok"}', b'{"type":"auth.expired"}'),
    INTERACTIONS: (b'{"type":"subscription.confirmed"}',),
}


class Attack:
    """One socket, whose request was read; `see` is told what the client says."""

    def __init__(
        self,
        random: Random,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        head: bytes,
        see: Callable[[bytes], None],
    ) -> None:
        self._random, self._reader, self._writer, self._head, self._see = random, reader, writer, head, see

    async def make(self, way: str, welcomes: Sequence[bytes]) -> None:
        """Accept, say one of `welcomes` or nothing, and attack. Being slow is no way of it: the handshake is."""
        welcome = self._random.choice((b"", _frame(self._random.choice(welcomes))))
        ways: dict[str, Callable[[bytes], Awaitable[None]]] = {
            "endless": self._endless,
            "bombed": self._bombed,
            "cut": self._cut,
            "mistyped": self._mistyped,
            "echoed": self._echoed,
        }
        await ways[way](_accepted(self._head) + welcome)

    async def _endless(self, begun: bytes) -> None:
        """Send pings, or pieces of one message, and read nothing."""
        self._writer.write(begun)
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # typed as a transport that only writes
        endless = self._random.choice((_frame(b"x" * 125, 9) * 100, _frame(b"x" * 1000, 1, last=False)))
        self._writer.write(endless)
        while True:
            self._writer.write(endless if endless[0] & 0x80 else _frame(b"x" * 60_000, 0, last=False))
            await self._writer.drain()
            await asyncio.sleep(0.01)

    async def _bombed(self, begun: bytes) -> None:
        frames = (
            struct.pack("!BBQ", 0x81, 127, 2**62) + b"{" * 1000,
            _frame(b'{"type":"message","guest":' + b"[" * 900_000),
            _frame(b" " * 1_200_000),
            _frame(gzip.compress(b" " * 10**6), 1, reserved=0x40),
            *[_frame(b'{"a":' * 2000 + b"1" + b"}" * 2000)] * 2,
        )
        self._writer.write(begun + self._random.choice(frames) * 3)
        await self._writer.drain()
        await asyncio.sleep(self._random.random())

    async def _cut(self, begun: bytes) -> None:
        said = begun + _frame(b"x" * 1000)
        self._writer.write(said[: self._random.randrange(len(said))])
        await self._writer.drain()

    async def _mistyped(self, begun: bytes) -> None:
        self._writer.write(begun)
        for _number in range(self._random.randrange(200)):
            pairs = b",".join(b'"%b":%b' % (name, self._random.choice(VALUES)) for name in NAMES)
            kind = self._random.choice((1, 1, 1, 1, 1, 2, 10))
            data = b"{%b}" % pairs if kind == 1 else self._random.randbytes(100)
            self._writer.write(_frame(data, kind))
            await self._writer.drain()
            await asyncio.sleep(0.01)
        closes = (
            b"",
            _frame(b"\x03", 8),
            _frame(struct.pack("!H", 999) + b"\xff", 8),
            _frame(b"x", 3),
            _frame(b"\xff"),
        )
        self._writer.write(self._random.choice(closes))
        await self._writer.drain()

    async def _echoed(self, begun: bytes) -> None:
        """Say what was said, in an URL's and JSON's spelling and in base64, and in the reason of the close."""
        self._writer.write(begun)
        await self._writer.drain()
        said = _unmasked(await self._reader.read(4096))
        self._see(said)
        head = self._head.partition(b"\r\n\r\n")[0]
        for echo in (said, said.replace(b"/", rb"\/"), head, quote(head).encode(), base64.b64encode(head + said)):
            self._writer.write(_frame(json.dumps({"type": "message", "text": echo.decode("latin-1")}).encode()))
        reason = as_header(said)[:100].encode()
        self._writer.write(_frame(struct.pack("!H", 4000) + reason, 8))
        await self._writer.drain()
        await asyncio.sleep(0.2)


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
