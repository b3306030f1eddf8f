"""The event subscription that a socket names: remembered, or made when there is none.

Its memory is a log that all connectors of a tenant share. Each entry names the subscription that it replaces, and
counts if that is the one that counted until then: of two connectors that make one at the same time, the later finds the
earlier's entry before its own, takes it, and deletes what it made.

    log     {id: a, replaces: -}   {id: b, replaces: -}   {id: a, replaces: a}
    counts  a                      a                      a                     b's connector says it again, so that
                                                                                compaction does not leave b alone
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Protocol

import orjson
import structlog

from connectors.cxone.event_subscriptions import Wanted
from connectors.cxone.oauth import Token
from connectors.cxone.websocket import Tokens
from connectors.errors import AuthorizationError, Unavailable
from connectors.retry import delays

log = structlog.get_logger()


class Api(Protocol):
    """What is needed of `connectors.cxone.event_subscriptions.EventSubscriptions`."""

    async def create(self) -> str: ...
    async def exists(self, name: str) -> bool: ...
    async def delete(self, name: str) -> None: ...


class Memory(Protocol):
    """What is needed of `connectors.kafka.key_history.KeyHistory`."""

    async def recall(self) -> Sequence[bytes]:
        """Return everything that was remembered and not compacted, oldest first. Raises Unavailable."""

    async def remember(self, value: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log. `request` tells what was asked for, `replaces` is the id that counted before."""

    id: str
    request: str
    replaces: str | None

    def encode(self) -> bytes:
        return orjson.dumps({"version": 1, **asdict(self)})


def counting(values: Iterable[bytes]) -> Entry | None:
    """Return the entry that counts, of a log's values in order. What is no entry counts for nothing."""
    current: Entry | None = None
    for value in values:
        entry = _entry(value)
        if entry is not None and (current is None or entry.replaces == current.id):
            current = entry
    return current


def _entry(value: bytes) -> Entry | None:
    try:
        match orjson.loads(value):
            case {"version": 1, "id": str(name), "request": str(request), "replaces": str() | None as replaces}:
                return Entry(name, request, replaces)
    except orjson.JSONDecodeError:
        pass
    return None


class Subscription:
    """What is wanted, and the id of the subscription to it once `obtain` has returned.

    Args:
        wanted: what to ask CXone for.
        name: of the subscription: with the URL, what it is remembered under.
    """

    def __init__(self, wanted: Wanted, name: str) -> None:
        self.wanted = wanted
        self.key = f"{wanted.url}|{name}".encode()
        self.id: str | None = None
        self._request = blake2b(orjson.dumps(wanted.request, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
        self._gone: str | None = None

    def forgotten(self) -> None:
        """Note that CXone does not know the subscription any more."""
        self._gone, self.id = self.id, None

    async def obtain(self, api: Api, memory: Memory) -> str:
        """Return the id of the subscription that counts. Raises AuthorizationError, or Unavailable: try again."""
        if self.id is not None:
            return self.id
        entry = counting(await memory.recall())
        known = entry is not None and entry.request == self._request and entry.id != self._gone
        if entry is not None and known and await api.exists(entry.id):
            log.info("subscription remembered", subscription=entry.id)
            self.id = entry.id
            return self.id
        self.id = await self._make(api, memory, None if entry is None else entry.id)
        return self.id

    async def _make(self, api: Api, memory: Memory, replaces: str | None) -> str:
        made = await api.create()
        await memory.remember(Entry(made, self._request, replaces).encode())
        entry = counting(await memory.recall())
        if entry is None or entry.id == made or entry.request != self._request:
            log.info("subscription made", subscription=made, replaces=replaces)
            return made
        await memory.remember(Entry(entry.id, entry.request, entry.id).encode())
        try:
            await api.delete(made)
        except (Unavailable, AuthorizationError) as kept:
            log.warning("a subscription is left over at CXone", subscription=made, reason=str(kept))
        log.info("another connector was first: its subscription is taken", subscription=entry.id)
        return entry.id


class Subscribed:
    """Tokens for a socket that names a subscription: each is given when there is one. As `websocket.Tokens`."""

    def __init__(
        self,
        tokens: Tokens,
        subscription: Subscription,
        api: Api,
        memory: Memory,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._tokens, self._subscription, self._api, self._memory, self._sleep = (
            tokens,
            subscription,
            api,
            memory,
            sleep,
        )

    async def token(self) -> Token:
        """Return a token once there is a subscription, which is tried for ever. Raises AuthorizationError."""
        backoff = delays()
        while True:
            try:
                await self._subscription.obtain(self._api, self._memory)
            except Unavailable as away:
                wait = max(next(backoff), away.retry_after or 0)
                log.warning("no subscription yet", reason=str(away), retry_in=round(wait, 1))
                await self._sleep(wait)
            else:
                return await self._tokens.token()

    def refused(self, token: Token) -> None:
        self._tokens.refused(token)
