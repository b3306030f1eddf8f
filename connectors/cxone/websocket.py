"""A socket that never stays down: token -> connection -> frames, reconnecting and moving over for ever.

Every CXone socket is this one with another `Opening`: the token goes into the URL, a header or a first message.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

import structlog
from prometheus_client import Counter, Gauge
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from connectors.cxone.connection import Auth, Connection, Frame, Policy
from connectors.cxone.oauth import Token
from connectors.errors import AuthorizationError, ConfigurationError
from connectors.http.proxies import Proxies
from connectors.redaction import presentable, spellings
from connectors.retry import delays, longest_retry_after

OPENED = Counter("cxone_socket_opened", "Connections opened.", ["connector"])
FAILED = Counter("cxone_socket_failed", "Connections lost, or not established.", ["connector"])
OPEN = Gauge("cxone_socket_open", "Connections open now; two while moving over.", ["connector"])

WITHHELD = Counter("cxone_socket_withheld", "Frames that repeat the token: nobody is handed them.", ["connector"])

QUEUED_FRAMES = 64  # that the library holds for us before it stops reading the socket
MOST_UNSENT = 262_144  # bytes: we send a subscription, pings and pongs
LONGEST_REASON = 300  # characters

# At DEBUG the library logs requests with their URLs, so it gets a logger that nobody turns to DEBUG by accident.
_QUIET = logging.getLogger("cxone.websockets")
_QUIET.setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Opening:
    """How a connection begins. Any of it may carry the token, so nothing of it is shown."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    messages: tuple[str, ...] = field(default=(), repr=False)  # sent in order, right after the handshake
    auth: Auth | None = field(default=None, repr=False)  # where CXone may refuse what the first message shows


class _Direct(connect):
    """Follows no redirect: nobody but the configured host gets the token."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Bounded(ClientConnection):
    """Ends when the peer reads nothing: each of its pings would add a pong to what is not sent, without end."""

    def send_data(self) -> None:
        super().send_data()
        if self.transport.get_write_buffer_size() > MOST_UNSENT:
            self.transport.abort()


class Tokens(Protocol):
    """Where tokens come from: `connectors.cxone.oauth.TokenSource`."""

    async def token(self) -> Token: ...
    def refused(self, token: Token) -> None: ...


class Socket:
    """Hands every frame to `receive`, in order within a connection, and reads no further while `receive` waits.

    Two connections overlap while moving over, so a frame may come twice; none is skipped but those that repeat their
    connection's token: nothing that holds one goes on to Kafka. `opened` is called after
    each opening.
    """

    def __init__(  # noqa: PLR0913 - its surroundings, and the clocks that tests replace
        self,
        connector: str,
        opening: Callable[[SecretStr], Opening],
        tokens: Tokens,
        receive: Callable[[Frame], Awaitable[None]],
        policy: Policy,
        *,
        opened: Callable[[], None],
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._connector = connector
        self._opening = opening
        self._tokens = tokens
        self._receive = receive
        self._policy = policy
        self._opened = opened
        self._now = now
        self._sleep = sleep
        self._proxies = Proxies()
        self._delays = delays(policy.first_delay, policy.longest_delay)
        self._connections: set[Connection] = set()
        self._ever_connected = False
        self._failures = 0  # in a row
        self._renewed = False  # since the last healthy connection, a refused token was replaced without a delay
        self._log = structlog.get_logger().bind(connector=connector)
        for metric in (OPENED, FAILED, OPEN):  # 0 from the start: what is not there yet raises no alert
            metric.labels(connector)

    def why_not_alive(self) -> str | None:
        """Return None: a socket that is down comes back by itself, and a restart would mend nothing."""
        return None

    def why_not_ready(self) -> str | None:
        connected = any(connection.admitted and not connection.reading.done() for connection in self._connections)
        tried_little = self._ever_connected and 0 < self._failures < self._policy.red_after
        return None if connected or tried_little else f"{self._connector}: not connected"

    async def run(self) -> None:
        """Keep a connection up until cancelled; then close with 1000 and hand over what had arrived.

        Raises AuthorizationError if CXone gives no token before the first connection. Later refusals are retried.
        """
        try:
            current = await self._connect()
            while True:
                if await self._ends_before_renewal(current):
                    await self._lost(current)
                    current = await self._connect()
                    continue
                successor = await self._connect()
                # The old one is not given up before the new one delivers.
                if await self._delivers(successor, self._policy.overlap):
                    await self._leave(current)
                    current = successor
                else:
                    await self._lost(successor)
        finally:
            await asyncio.gather(*(self._leave(connection) for connection in self._connections))

    async def _connect(self) -> Connection:
        while True:
            try:
                token = await self._tokens.token()
            except AuthorizationError as refused:
                if not self._ever_connected:
                    raise
                await self._failed(str(refused))
                continue
            try:
                connection = await self._open(token)
            except InvalidStatus as refused:
                status = refused.response.status_code
                if status == HTTPStatus.UNAUTHORIZED:
                    self._tokens.refused(token)
                wait = longest_retry_after(refused.response.headers.get_all("Retry-After"), self._now())
                await self._failed(f"the handshake was answered with {status}", wait)
            except ConfigurationError:
                raise
            except Exception as failed:  # noqa: BLE001 - the library raises others over what a peer answers
                await self._failed(_without(token, str(failed) or type(failed).__name__))
            else:
                if await self._admitted(connection):
                    return connection
                await self._lost(connection)

    async def _open(self, token: Token) -> Connection:
        opening = self._opening(token.value)
        websocket = await _Direct(
            opening.url,
            additional_headers=opening.headers,
            compression=None,  # events are small and many: inflating them costs more than carrying them
            open_timeout=self._policy.open_timeout,
            close_timeout=self._policy.close_timeout,
            ping_interval=None,  # `Connection` watches, and knows when we are the slow ones
            max_size=self._policy.max_frame_bytes,
            max_queue=QUEUED_FRAMES,
            logger=_QUIET,
            proxy=self._proxies.of(opening.url),
            create_connection=_Bounded,
        )
        try:
            async with asyncio.timeout(self._policy.open_timeout):
                for message in opening.messages:
                    await websocket.send(message)
        except BaseException:
            websocket.transport.abort()
            raise
        receive = self._receiving(token)
        connection = Connection(websocket, token, receive, self._policy, auth=opening.auth, now=self._now)
        self._connections.add(connection)
        OPENED.labels(self._connector).inc()
        OPEN.labels(self._connector).inc()
        return connection

    def _receiving(self, token: Token) -> Callable[[Frame], Awaitable[None]]:
        repeated = spellings(token.value)

        async def receive(frame: Frame) -> None:
            if any(each in frame.data for each in repeated):
                WITHHELD.labels(self._connector).inc()
            else:
                await self._receive(frame)

        return receive

    async def _admitted(self, connection: Connection) -> bool:
        """Wait for the answer to the first message. A CXone that gives none has nothing against it."""
        if connection.auth is not None and not await self._delivers(connection, self._policy.open_timeout):
            return False
        connection.admitted = self._ever_connected = True
        self._failures = 0
        self._log.info("connected", connection=connection.id)
        self._opened()
        return True

    async def _ends_before_renewal(self, connection: Connection) -> bool:
        # The loop's clock is not ours: a timer may end a moment before the token source agrees that it is time.
        while (remaining := connection.token.renew_at - self._now()) > 0:
            ended, _ = await asyncio.wait({connection.reading}, timeout=remaining)
            if ended:
                return True
        return connection.reading.done()

    async def _delivers(self, connection: Connection, within: float) -> bool:
        """Wait until a new connection delivers something, for so long at most; return whether it is still there."""
        delivers = asyncio.create_task(connection.delivers.wait())
        waited_for = {delivers, connection.reading}
        await asyncio.wait(waited_for, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        delivers.cancel()
        return not connection.reading.done()

    async def _leave(self, connection: Connection) -> None:
        await connection.close()
        self._gone(connection)
        self._log.info("connection closed", connection=connection.id)

    async def _lost(self, connection: Connection) -> None:
        self._gone(connection)
        reason = _without(connection.token, await connection.reading)
        wait = None
        if connection.refused:
            told = connection.auth.refused if connection.auth is not None else None
            self._tokens.refused(connection.token) if told is None else told()
            wait, self._renewed = None if self._renewed else 0.0, True
        await self._failed(reason, wait, connection=connection.id)

    def _gone(self, connection: Connection) -> None:
        self._connections.discard(connection)
        OPEN.labels(self._connector).dec()
        if self._now() - connection.opened_at >= self._policy.healthy:
            self._delays, self._renewed = delays(self._policy.first_delay, self._policy.longest_delay), False

    async def _failed(self, reason: str, wait: float | None = None, **names: str) -> None:
        FAILED.labels(self._connector).inc()
        self._failures += 1
        wait = next(self._delays) if wait is None else wait
        self._log.warning("not connected", reason=reason, retry_in=round(wait, 1), **names)
        await self._sleep(wait)


def _without(token: Token, text: str) -> str:
    """Hide the token in what the other side, or a library, says."""
    return presentable(text, [token.value], LONGEST_REASON)
