"""A peer that stands before a stand-in: it passes everything on, or does to each connection what nobody should."""

import asyncio
import re
import time
from collections import Counter
from contextlib import suppress
from random import Random

from tests.attack import answers, frames
from tests.attack.ways import HOST, WAYS, Bag

LONGEST_REQUEST = 1 << 24
PATIENCE = 20.0  # seconds that one connection is attacked for
SLOW_TO_NOTICE = 3.0  # seconds for which a client may not know yet that its socket has ended

TOKEN_SERVER, SUBSCRIPTIONS = "token server", "analytics subscriptions"
SOCKETS = {"/analytics/": frames.ANALYTICS, "/webchat/": frames.MESSAGING, "/events": frames.INTERACTIONS}
# By a piece of the path; the first one counts.
CLIENTS = {
    "/oauth/": TOKEN_SERVER,
    "/eventsub": SUBSCRIPTIONS,
    "/routing/": "routing",
    "/crm/": "CRM",
    "/inference": "model",
    "/interactions/": "interaction details",
    "/alerts": "alert receiver",
    "/dashboards": "dashboards",
    "/events/subscriptions": "event subscriptions",
    "/api/v2/write": "InfluxDB",
    "/subjects": "schema registry",
}
# Of the requests without which a client calls nobody else whom we could attack, these shares are answered well.
HONEST = {TOKEN_SERVER: 0.6, SUBSCRIPTIONS: 0.3}

_TOKEN = re.compile(rb'(?:Bearer |Token |access_token=|"token":\s*")([^\s"&]{8,})')


class Peer:
    """Listens on a free port; `upstream` is the port of whom it stands for.

    Attributes:
        done: how often which client was attacked in which way.
        tokens: those that clients showed.
    """

    def __init__(self, upstream: int, random: Random) -> None:
        self.port = 0
        self.done: Counter[tuple[str, str]] = Counter()
        self.tokens: set[bytes] = set()
        self._stood: dict[str, float] = {}
        self._standing: Counter[str] = Counter()
        self._upstream, self._random = upstream, random
        self._bags: dict[str, Bag] = {}
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

    def may_stand(self, client: str, since: float) -> bool:
        """Whether a client may have thought after `since` (`time.monotonic`) that its socket is open."""
        return bool(self._standing[client]) or self._stood.get(client, 0.0) > since - SLOW_TO_NOTICE

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
            self._see(head)
            client = client_of(head)
            if not self._hostile:
                await self._pass_on(reader, writer, head)
            elif self._random.random() < HONEST.get(client, 0.0):  # this request, not those that would follow it
                await self._pass_on(reader, writer, head[:-2] + b"Connection: close\r\n\r\n")
            else:
                async with asyncio.timeout(PATIENCE):
                    await self._attack(client, reader, writer, head)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.transport.abort()

    def _see(self, said: bytes) -> None:
        self.tokens.update(_TOKEN.findall(said))

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

    async def _attack(
        self, client: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes
    ) -> None:
        way = self._bags.setdefault(client, Bag(WAYS, self._random)).take()
        self.done[client, way] += 1
        if client not in SOCKETS.values() or way == "slow":  # of a socket: its handshake has no end
            await answers.Attack(self._random, reader, writer, head).make(way)
        else:
            self._standing[client] += 1
            try:
                attack = frames.Attack(self._random, reader, writer, head, self._see)
                await attack.make(way, frames.WELCOMES[client])
            finally:
                self._standing[client] -= 1
                self._stood[client] = time.monotonic()


def client_of(head: bytes) -> str:
    """Return who asks, by the head of a request."""
    path = head.split(b" ", 2)[1].partition(b"?")[0].decode("latin-1")
    known = SOCKETS if b"upgrade: websocket" in head.lower() else CLIENTS
    return next((client for piece, client in known.items() if piece in path), path)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
