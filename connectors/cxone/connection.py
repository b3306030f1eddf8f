"""One open connection: socket -> frames, until it closes or falls silent."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from enum import Enum, auto

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from connectors.cxone.oauth import Token
from connectors.retry import LONGEST_DELAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Times in seconds.

    A connection that lasted `healthy` seconds counts as good: its loss is retried from the first delay. While moving
    over, the old connection is kept until the new one has delivered something, `overlap` at most. A socket that was
    connected before is not ready after `red_after` attempts in a row that failed.
    """

    ping_interval: float
    pong_timeout: float
    max_frame_bytes: int
    open_timeout: float = 10.0
    close_timeout: float = 3.0
    first_delay: float = 1.0
    longest_delay: float = LONGEST_DELAY
    healthy: float = 60.0
    overlap: float = 5.0
    red_after: int = 1


@dataclass(frozen=True, slots=True)
class Frame:
    """A message as received. `number` counts from 0 within its connection; `received_at` is in milliseconds."""

    data: bytes = field(repr=False)
    connection_id: str
    number: int
    received_at: int


class Answer(Enum):
    """What CXone says to a connection's first message."""

    ACCEPTED = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Auth:
    """How to tell what CXone says to the first message: in a frame of its own, or by a close code.

    `of` is what the message shows, for the log; `refused` is called when CXone does not accept that. None: it is the
    token.
    """

    answer: Callable[[bytes], Answer | None] = field(repr=False)  # None: a frame like all others
    refused_codes: Collection[int]
    of: str = "the token"
    refused: Callable[[], None] | None = field(default=None, repr=False)


class Connection:
    """Reads from its creation on, and reads no further while `receive` waits.

    Answers to the first message are not handed on.

    `refused` says, once `reading` is done, that it ended because CXone refused what that message shows.
    """

    def __init__(  # noqa: PLR0913 - its surroundings, and the clock that tests replace
        self,
        websocket: ClientConnection,
        token: Token,
        receive: Callable[[Frame], Awaitable[None]],
        policy: Policy,
        *,
        auth: Auth | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.id = websocket.id.hex[:12]
        self.token = token
        self.opened_at = now()
        self.delivers = asyncio.Event()  # set by the first frame, or the token's acceptance
        self.refused = False
        self.admitted = False  # for the owner to note
        self.auth = auth
        self._websocket = websocket
        self._receive = receive
        self._policy = policy
        self._now = now
        self._silent = False
        self._handing_over = False
        self._heard = False
        self._watching = asyncio.create_task(self._watch())
        self.reading = asyncio.create_task(self._read())  # its result is the reason of the end

    async def close(self) -> None:
        """Close with 1000 and return when everything that arrived is handed over."""
        await self._closing()
        await asyncio.wait({self.reading})

    async def _closing(self) -> None:
        """Say goodbye, but not to a peer that does not take it: the library waits for that without a limit."""
        try:
            async with asyncio.timeout(2 * self._policy.close_timeout):
                await self._websocket.close()
        except TimeoutError:
            self._websocket.transport.abort()

    async def _read(self) -> str:
        number = 0
        try:
            while True:
                # Bytes, unchecked: text that is no UTF-8 is a bad frame, not a reason to close.
                data = await self._websocket.recv(decode=False)
                answer = None if self.auth is None else self.auth.answer(data)
                if answer is Answer.REFUSED and self.auth is not None:
                    self.refused = True
                    await self._closing()
                    return f"CXone refused {self.auth.of}"
                self.delivers.set()
                if answer is None:
                    self._handing_over = True
                    await self._receive(Frame(data, self.id, number, int(self._now() * 1000)))
                    self._handing_over = False
                self._heard = True
                number += 1
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else None
            self.refused = self.auth is not None and code in self.auth.refused_codes
            return f"no answer to a ping for {self._policy.pong_timeout:g} s" if self._silent else str(closed)
        finally:
            self._watching.cancel()

    async def _watch(self) -> None:
        """Cut the connection when the peer is gone without a word.

        The library's own keepalive would also cut it while we do not read because Kafka is slow: a pong behind unread
        frames is late, not missing. So silence counts only when nobody is busy with a frame.
        """
        try:
            while True:
                await asyncio.sleep(self._policy.ping_interval)
                try:
                    async with asyncio.timeout(self._policy.pong_timeout):
                        pong = asyncio.ensure_future(await self._websocket.ping())
                except TimeoutError:  # it takes nothing from us, whatever it sends
                    self._silent = True
                    self._websocket.transport.abort()
                    return
                while not await self._answered(pong):
                    if not self._heard and not self._handing_over:
                        self._silent = True
                        self._websocket.transport.abort()
                        return
        except ConnectionClosed:
            return

    async def _answered(self, pong: asyncio.Future[float]) -> bool:
        self._heard = False
        try:
            async with asyncio.timeout(self._policy.pong_timeout):
                await asyncio.shield(pong)
        except TimeoutError:
            return False
        return True
