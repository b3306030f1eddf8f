"""CXone's webhooks -> cxone.raw.webhooks, byte for byte; a 200 says that Kafka has committed them.

At-least-once: a caller without an answer repeats, and the stage behind drops what came before. Ordered per interaction
among requests that follow each other. A body of a known caller that cannot be used becomes a dead letter.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import orjson
import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from connectors.errors import PublishError
from connectors.ingress.webhooks import answers, body, openapi
from connectors.ingress.webhooks.callers import Callers, Claim, NexusSignature
from connectors.ingress.webhooks.delivery import Delivery, Endpoint, dead_letter, raw_record
from connectors.ingress.webhooks.payload import Unusable, identify
from connectors.ingress.webhooks.room import Room, Share
from schemas.envelope import Outgoing

log = structlog.get_logger(component="webhooks")

MAX_BYTES = 64 << 20  # of bodies in memory
KEEP_ALIVE = 5.0  # seconds for an idle connection, and for the headers of a request
LINGERING = 1.0  # seconds for the rest of a body that nobody reads

SECONDS = Histogram(
    "cxone_webhooks_request_seconds",
    "From a request's headers to its answer.",
    ["status"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
REQUESTS = Gauge("cxone_webhooks_in_flight", "Requests without an answer.")
WAITING = Gauge("cxone_webhooks_queue", "Requests that wait for Kafka's commit.")
DEAD = Counter("cxone_webhooks_dead", "Bodies of known callers that went to the dead letters.", ["reason"])

# aiohttp tells of a request that is no HTTP with the header that it could not read, which may be a secret.
_SILENT = logging.getLogger(f"{__name__}.unreadable")
_SILENT.disabled = True

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Transactions(Protocol):
    """What the door needs of `connectors.kafka.transactions.TransactionalPublisher`."""

    blocked: str | None

    async def publish(self, records: Sequence[Outgoing]) -> object: ...


class Door:
    """Answers callers.

    Args:
        endpoints: where they may call.
        callers: who is known.
        transactions: stores what came; `blocked` says why nothing can be.
        name: of this door among several.
        deadline: seconds from a request's headers to a 503.
        queue: requests that may wait for a commit.
        now: seconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 - a composition point
        self,
        endpoints: Sequence[Endpoint],
        callers: Callers,
        transactions: Transactions,
        *,
        name: str,
        deadline: float,
        queue: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._callers, self._transactions, self._name, self._now = callers, transactions, name, now
        self._deadline = deadline
        self._any_type = isinstance(callers, NexusSignature)
        self._room = Room(requests=queue, max_bytes=MAX_BYTES)
        self._stopping = False
        document = openapi.document(endpoints, callers)
        self._document, self._page = orjson.dumps(document), openapi.page(document)
        self._endpoints = endpoints
        WAITING.set_function(lambda: self._room.waiting)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[_answering])
        for endpoint in self._endpoints:
            app.router.add_post(endpoint.path, self._handler(endpoint), expect_handler=_expect_nothing_yet)
        for path, handler in (
            ("/livez", self._livez),
            ("/readyz", self._readyz),
            ("/metrics", self._metrics),
            ("/openapi.json", self._openapi),
            ("/docs", self._docs),
        ):
            app.router.add_get(path, handler, allow_head=False)
        app.on_response_prepare.append(_name_server)
        return app

    def runner(self) -> web.AppRunner:
        """Return what serves the door: bodies stay as they were sent, and slow clients go."""
        return web.AppRunner(
            self.app(),
            access_log=None,
            logger=_SILENT,
            auto_decompress=False,
            keepalive_timeout=KEEP_ALIVE,
            lingering_time=LINGERING,
            shutdown_timeout=self._deadline + 1,
        )

    def stop(self) -> None:
        """Answer 503 from now on; what waits for its commit gets its answer."""
        self._stopping = True

    def why_not_ready(self) -> str | None:
        return "stopping" if self._stopping else self._transactions.blocked

    def _handler(self, endpoint: Endpoint) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            with Share(self._room) as share:
                return await self._take(request, endpoint, share)

        return handle

    def _admit(self, request: web.Request, now: float) -> Claim | web.Response:
        """Look at the headers: return what the caller claims, or why not even the body is read."""
        claim = self._callers.claim(request.headers, now)
        if claim is None:
            return answers.unauthorized()
        wrong = body.encoded(request.headers) if self._any_type else body.unreadable(request)
        if wrong is not None:
            return wrong
        blocked = self.why_not_ready() or ("too many requests wait" if self._room.full else None)
        return claim if blocked is None else answers.unavailable(blocked)

    async def _take(self, request: web.Request, endpoint: Endpoint, share: Share) -> web.Response:
        deadline = asyncio.get_running_loop().time() + self._deadline
        now = self._now()
        claim = self._admit(request, now)
        if isinstance(claim, web.Response):
            return claim
        sent = await body.read(request, self._room, share)
        if isinstance(sent, web.Response):
            return sent
        if not self._callers.proves(claim, sent):
            return answers.unauthorized()
        delivery = Delivery(endpoint.path, sent, int(now * 1000), claim.delivery_id, self._name)
        found = identify(sent, endpoint.id)
        share.wait()
        record = dead_letter(delivery, found) if isinstance(found, Unusable) else raw_record(delivery, found)
        problem = await self._store(record, deadline)
        if problem is not None:
            return answers.unavailable(problem)
        if isinstance(found, Unusable):
            DEAD.labels(found.reason).inc()
            return answers.refused(400, found.detail)
        return answers.accepted(endpoint.answered, found)

    async def _store(self, record: Outgoing, deadline: float) -> str | None:
        """Return when `record` is committed, or why it is not (or it is not known)."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._transactions.publish([record])
        except TimeoutError:
            return "not stored in time"
        except PublishError as failure:
            log.warning("not stored", reason=str(failure))
            return "not stored"
        return None

    async def _livez(self, _: web.Request) -> web.Response:
        return _probe(None)

    async def _readyz(self, _: web.Request) -> web.Response:
        return _probe(self.why_not_ready())

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _openapi(self, _: web.Request) -> web.Response:
        return web.Response(body=self._document, content_type="application/json")

    async def _docs(self, _: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return web.Response(text=self._page, content_type="text/html", headers=headers)


@web.middleware
async def _answering(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Time a request, and put aiohttp's own refusals into our words."""
    began = time.perf_counter()
    with REQUESTS.track_inprogress():
        try:
            answer = await handler(request)
        except web.HTTPException as refusal:
            answer = answers.refused(refusal.status, refusal.reason.lower(), close=True)
            if "Allow" in refusal.headers:
                answer.headers["Allow"] = refusal.headers["Allow"]
        except Exception:
            log.exception("a request failed", path=request.path)
            answer = answers.refused(500, "internal error", close=True)
    SECONDS.labels(answer.status).observe(time.perf_counter() - began)
    return answer


async def _expect_nothing_yet(_: web.Request) -> None:
    """Leave the 100 (Continue) to whoever reads the body: strangers are refused before it is sent."""


async def _name_server(_: web.Request, answer: web.StreamResponse) -> None:
    answer.headers["Server"] = answers.SERVER


def _probe(reason: str | None) -> web.Response:
    return web.json_response(
        {"ok": reason is None, "reasons": [] if reason is None else [reason]}, status=200 if reason is None else 503
    )
