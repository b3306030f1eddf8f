"""cxone.guest.admitted (and the retry tiers) -> routing -> CXone's queues; cxone.routing.results, dead letters.

Each message is put into its queue once, with an idempotency key from its source position: only a call that was under
way, or answered and not yet written down, when the process was killed goes out again, under the same key. Ordered per
conversation.
"""

import time
from collections.abc import Mapping

import httpx
import structlog
from prometheus_client import Counter, Gauge, Histogram

from connectors.cxone import dialect
from connectors.cxone.oauth import Credentials, TokenSource
from connectors.cxone.rest import RestClient
from connectors.errors import Unavailable
from connectors.http.exchange import Exchange
from connectors.http.transport import Transport
from connectors.settings import CxoneSettings, KafkaSettings, load
from schemas.records import GuestMessage, RoutingResult
from schemas.topics import GUEST_ADMITTED, ROUTING_RETRIES
from streams.core.calls.job import Done, Failed, Job, Outcome, Tiers
from streams.core.calls.ordered import Calls
from streams.runtime.app import App
from streams.runtime.assembly import attach_calls, declared, stored
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.stages.routing.conversation import STAGE, outcome, request
from streams.stages.routing.declaration import DECLARATION
from streams.stages.routing.labels import Labels
from streams.stages.routing.settings import RoutingSettings

HOLD = 50_000  # messages that are read and not settled

log = structlog.get_logger(stage=STAGE)

ANSWERS = Counter("cxone_routing_answers", "What attempts ended with, by status; 0 is no answer.", ["status"])
SLA = Histogram(
    "cxone_routing_seconds",
    "From the moment the socket delivered a frame to CXone's routing answer.",
    ["queue"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120),
)
ROUTED = Counter("cxone_routing_routed", "Messages routed, by whether it took no longer than the target.", ["on_time"])
WITHIN = Gauge("cxone_routing_within_target", "Share of the routed messages that took no longer than the target.")
WAITING = Gauge("cxone_routing_waiting", "Messages that wait for another attempt, or behind one that does.")
LOST = Gauge("cxone_routing_lost", "Messages that state waited for and that were in no tier, since the last rebalance.")


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker, cxone, routing = (
        load(KafkaSettings),
        load(WorkerSettings),
        load(CxoneSettings),
        load(RoutingSettings),
    )
    codec = StageCodec.from_settings()
    decode, encode = codec.decoder(GuestMessage), codec.encoder(RoutingResult)
    messaging = dialect.load(cxone.dialect).messaging
    url = httpx.URL(messaging.routing_url(cxone))  # parsed once
    credentials = Credentials(
        token_url=messaging.token_url(cxone),
        client_id=cxone.client_id,
        client_secret=cxone.client_secret,
        scope=messaging.oauth.scope,
        renew_before=messaging.oauth.renew_before,
    )
    tiers = Tiers.growing(
        tuple(spec.name for spec in ROUTING_RETRIES),
        base=routing.retry_base,
        cap=routing.retry_cap,
        retries=routing.retries,
    )
    app = declared(DECLARATION, kafka, worker, codec, beside=tiers.topics)
    state = stored(app, "calls", kafka)

    def on_trouble(trouble: str | None) -> None:
        app.stage.trouble = trouble

    transport = Transport(str(url), credentials.token_url, connections=routing.concurrency)
    api = app.using(
        RestClient(
            Exchange("CXone", transport, timeout=routing.timeout),
            TokenSource(credentials, Exchange("the token server", transport, timeout=routing.timeout)),
            pause=app.pause,
            on_trouble=on_trouble,
        )
    )

    def read(value: bytes) -> tuple[str, GuestMessage]:
        message = decode(value)
        return message.conversation_id, message

    def core(partition: int, stored: Mapping[bytes, bytes]) -> Calls[GuestMessage]:
        return Calls(
            partition,
            stored,
            stage=STAGE,
            topic=GUEST_ADMITTED.name,
            tiers=tiers,
            read=read,
            once=routing.first_only,
            remember=int(routing.remember * 1000),
            most=routing.waiting,
        )

    label = Labels()

    async def call(job: Job[GuestMessage]) -> Outcome:
        message = job.message
        try:
            answer = await api.post(url, request(message), key=job.idempotency_key)
        except Unavailable as none:
            ANSWERS.labels(0).inc()
            return Failed(str(none))
        ANSWERS.labels(answer.status).inc()
        now = time.time_ns() // 1_000_000
        came = outcome(answer.status, answer.body, job, now=now, target=routing.sla_target, encode=encode)
        if isinstance(came, Done):
            seconds = max(now - message.received_at, 0) / 1000
            SLA.labels(label(message.queue_id)).observe(seconds)
            ROUTED.labels("true" if seconds <= routing.sla_target else "false").inc()
            log.debug("routed", position=job.idempotency_key, queue=message.queue_id, attempt=job.attempt, took=seconds)
        return came

    runner = attach_calls(
        app,
        state,
        core,
        call,
        limit=routing.concurrency,
        hold=HOLD,
        refusals=worker.dead_letter_share,
    )
    WAITING.set_function(lambda: sum(core.parked for core in runner.cores()))
    LOST.set_function(lambda: sum(core.lost for core in runner.cores()))
    WITHIN.set_function(_share)
    return app


def _share() -> float:
    on_time, late = (ROUTED.labels(which)._value.get() for which in ("true", "false"))  # noqa: SLF001 - it has no reader
    return on_time / (on_time + late) if on_time + late else 1.0
