"""The short version of `make attack`: the clients in this process, against the same peer, for some seconds."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest
from pydantic import SecretStr

from connectors.cxone.dialect import load
from connectors.cxone.oauth import Credentials, TokenSource
from connectors.cxone.rest import RestClient
from connectors.cxone.websocket import Opening
from connectors.errors import ConnectorError
from connectors.http.exchange import Exchange
from connectors.http.transport import Transport
from connectors.ingress import interactions, messaging
from connectors.settings import CrmSettings, InfluxSettings
from connectors.sinks.alerts.alertmanager import Alertmanager
from connectors.sinks.alerts.receiver import Notice, Posting
from connectors.sinks.alerts.webhook import Webhook
from connectors.sinks.crm import HttpCrm
from connectors.sinks.inference import Inference
from connectors.sinks.influx import InfluxWriter
from connectors.sinks.settings import InferenceSettings
from schemas.records import AlertRecord
from tests.attack.peer import Peer
from tests.attack.secrets import Searcher
from tests.attack.ways import HOST
from tests.support.sockets import Client, Cxone, Tokens

SECONDS = 4.0
TIMEOUT = 0.3  # of one call
HANGS = 20.0  # seconds: a call that takes so long is held up
_NAMES = ("client", "crm", "influx", "model", "alerts")
SECRETS = {name: f"{name}/Zq7+{Random(name).getrandbits(120):030x}" for name in _NAMES}
NOTICE = Notice(AlertRecord("a", "r", "m", "q", "open", "warning", 2.0, 1.0, 1, None, 2, 1))

Call = Callable[[], Awaitable[object]]


class Sockets(Cxone):
    """No server: a client's opening leads elsewhere."""

    def __init__(self, begin: Callable[[SecretStr], Opening]) -> None:
        super().__init__(lambda _: asyncio.sleep(0))
        self._begin = begin

    def opening(self, token: SecretStr) -> Opening:
        return self._begin(token)


class Clients:
    """Those that call over HTTP. `said` is what anybody could print of what came back."""

    def __init__(self, url: str) -> None:
        self.said: list[str] = []
        self.done: dict[str, int] = {}
        self._url = url
        account = {"url": url, "token": SECRETS["influx"], "org": "o", "bucket": "b", "timeout": TIMEOUT}
        at = InferenceSettings.model_validate({"url": url, "token": SECRETS["model"]})
        self._crm = HttpCrm(CrmSettings.model_validate({"url": url, "token": SECRETS["crm"], "timeout": TIMEOUT}))
        self._influx = InfluxWriter(InfluxSettings.model_validate(account))
        self._model = Inference(at, timeout=TIMEOUT, connections=3, pause=_pause, on_trouble=lambda _: None)
        posting = Posting("the receiver", url, SecretStr(SECRETS["alerts"]), self._exchange("the receiver"))
        self._alertmanager, self._webhook = Alertmanager(posting, resend=60), Webhook(posting)
        self.calls: dict[str, Call] = {
            "crm": lambda: self._crm.post([{"external_id": "e"}], "k"),
            "influx": lambda: self._influx.write(["m v=1 1"]),
            "model": lambda: _left(self._model.ask(b"{}", key="1-1")),  # it waits for a person where it is refused
            "alertmanager": lambda: self._alertmanager.tell([NOTICE], 1.0),
            "webhook": lambda: self._webhook.tell([NOTICE], 1.0),
            "rest": lambda: _left(self._asked()),  # as tokens, on top of which it waits out a 429
            "tokens": lambda: _left(self._renewed()),  # it goes on for as long as there is no token
        }

    async def keep(self, name: str, until: float) -> None:
        """Call again and again. Fails when a call hangs, or raises what is no outcome of one."""
        while time.monotonic() < until:
            try:
                async with asyncio.timeout(HANGS):
                    self.said.append(repr(await self.calls[name]()))
            except ConnectorError as error:
                self.said.append(f"{error!r} {error}")
            self.done[name] = self.done.get(name, 0) + 1

    async def close(self) -> None:
        for client in (self._crm, self._influx, self._model, self._alertmanager):
            await client.close()

    async def _renewed(self) -> object:
        async with self._tokens() as tokens:
            return await tokens.token()

    async def _asked(self) -> object:
        async with self._tokens() as tokens:
            rest = RestClient(self._exchange("CXone"), tokens, pause=_pause)
            try:
                return await rest.post(f"{self._url}/routing/", b"{}", key="1-1")
            finally:
                await rest.close()

    @asynccontextmanager
    async def _tokens(self) -> AsyncIterator[TokenSource]:
        secret = SecretStr(SECRETS["client"])
        at = Credentials(
            token_url=f"{self._url}/oauth/token", client_id="i", client_secret=secret, scope="s", renew_before=1
        )
        exchange = self._exchange("the token server")
        tokens = TokenSource(at, exchange, sleep=_pause)
        try:
            yield tokens
        finally:
            await tokens.close()
            await exchange.close()

    def _exchange(self, peer: str) -> Exchange:
        return Exchange(peer, Transport(self._url), timeout=TIMEOUT)


async def _left(call: Awaitable[object]) -> object:
    """Return what comes of a call within a second."""
    try:
        async with asyncio.timeout(1.0):
            return await call
    except TimeoutError:
        return None


async def _pause(_seconds: float) -> None:
    await asyncio.sleep(0.01)


async def test_no_peer_ends_a_client_holds_it_up_or_is_told_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    peer, dialect = Peer(0, Random(1)), load("v2")
    await peer.start()
    await peer.turn(hostile=True)
    clients, ws = Clients(f"http://{HOST}:{peer.port}"), f"ws://{HOST}:{peer.port}"
    event_type = dialect.messaging.fields.message().event_type
    openings = (
        interactions.opening(ws, dialect.interactions.socket),
        messaging.opening(ws, dialect.messaging.socket, event_type),
    )
    sockets = [Client(Sockets(begin), tokens=Tokens()) for begin in openings]
    running = [asyncio.create_task(each.socket.run()) for each in sockets]

    ends = time.monotonic() + SECONDS
    await asyncio.gather(*(clients.keep(name, ends) for name in clients.calls for _ in range(3)))

    assert not any(task.done() for task in running)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await clients.close()
    await peer.close()
    assert clients.done.keys() == clients.calls.keys()
    shown = "\n".join([*clients.said, *(f"{record.getMessage()} {record.exc_text}" for record in caplog.records)])
    assert Searcher(map(str.encode, SECRETS.values())).found(shown.encode()) == []
