"""cxone-interactions-ml -> scoring -> the model at INFERENCE_URL; cxone.ml.scores, dead letters.

Each interaction is scored once, with an idempotency key from its source position: only a call that was under way, or
answered and not yet written down, when the process was killed goes out again, under the same key. Without order: a slow
call holds up nobody.
"""

import time
from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram

from connectors.cxone import dialect, interaction_details
from connectors.errors import ConfigurationError, Unavailable
from connectors.settings import DialectSettings, KafkaSettings, load
from connectors.sinks.inference import Inference
from connectors.sinks.settings import InferenceSettings
from schemas.records import CXoneInteraction, InteractionScore
from schemas.topics import INTERACTIONS_ML
from streams.core.calls.job import Done, Failed, Job, Outcome, Tiers
from streams.core.calls.ordered import Calls
from streams.runtime.app import App
from streams.runtime.assembly import attach_calls, declared, stored
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.stages.scoring.declaration import DECLARATION
from streams.stages.scoring.score import LONGEST_WORDS, STAGE, Asked, Scale, outcome, request
from streams.stages.scoring.settings import ScoringSettings

HOLD = 20_000  # interactions that are read and not settled

ANSWERS = Counter("cxone_scoring_answers", "What attempts ended with, by status; 0 is no answer.", ["status"])
SCORED = Counter("cxone_scoring_scored", "Interactions with a score.")
SECONDS = Histogram(
    "cxone_scoring_seconds",
    "How long the model's answers took.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10),
)
WAITING = Gauge("cxone_scoring_waiting", "Interactions that wait for another attempt.")


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker, settings = load(KafkaSettings), load(WorkerSettings), load(ScoringSettings)
    scoring = dialect.load(load(DialectSettings).dialect).scoring
    spoken = scoring.details if settings.details else None
    if settings.details and spoken is None:
        raise ConfigurationError("SCORING_DETAILS: the dialect has no section scoring.details")
    scale = Scale(score=scoring.score, model=scoring.model, lowest=settings.lowest, highest=settings.highest)
    codec = StageCodec.from_settings()
    decode, encode = codec.decoder(CXoneInteraction), codec.encoder(InteractionScore)
    tiers = Tiers.in_memory(base=settings.retry_base, cap=settings.retry_cap, retries=settings.retries)
    app = declared(DECLARATION, kafka, worker, codec)
    state = stored(app, "calls", kafka)

    def on_trouble(trouble: str | None) -> None:
        app.stage.trouble = trouble

    details = None
    if spoken is not None:
        details = app.using(
            interaction_details.connected(spoken, timeout=settings.details_timeout, connections=settings.concurrency)
        )

    model = app.using(
        Inference(
            load(InferenceSettings),
            timeout=settings.timeout,
            connections=settings.concurrency,
            pause=app.pause,
            on_trouble=on_trouble,
        )
    )

    def core(partition: int, stored: Mapping[bytes, bytes]) -> Calls[CXoneInteraction]:
        return Calls(
            partition,
            stored,
            stage=STAGE,
            topic=INTERACTIONS_ML.name,
            tiers=tiers,
            read=lambda value: (None, decode(value)),
        )

    async def call(job: Job[CXoneInteraction]) -> Outcome:
        known = None if details is None else await details.of(job.message.interaction_id)
        body = request(job.message, scoring.request, known, None if spoken is None else spoken.request)
        try:
            answer, seconds = await model.ask(body, key=job.idempotency_key)
        except Unavailable as none:
            ANSWERS.labels(0).inc()
            return Failed(str(none))
        ANSWERS.labels(answer.status).inc()
        SECONDS.observe(seconds)
        asked = Asked(
            answer.status,
            answer.body,
            model.words(answer, LONGEST_WORDS),
            latency=int(1000 * seconds),
            at=time.time_ns() // 1_000_000,
        )
        came = outcome(asked, job, scale=scale, encode=encode)
        if isinstance(came, Done):
            SCORED.inc()
        return came

    runner = attach_calls(
        app,
        state,
        core,
        call,
        limit=settings.concurrency,
        hold=HOLD,
        refusals=worker.dead_letter_share,
    )
    WAITING.set_function(lambda: sum(core.parked for core in runner.cores()))
    return app
