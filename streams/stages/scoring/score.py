"""An interaction <-> the model's endpoint. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from math import isfinite
from typing import Any

import msgspec
import orjson

from schemas.envelope import EVENT_ID, SOURCE_POSITION, Outgoing
from schemas.frame_fields import LONGEST_ID, Paths, first
from schemas.records import CXoneInteraction, InteractionScore
from schemas.topics import ML_SCORES
from streams.core.calls.job import Done, Failed, Job, Outcome
from streams.core.contract import Refused

STAGE = "scoring"
REFUSED = "refused by the model"
NO_SCORE = "no score"
LARGEST = 1 << 63  # of an integer that is handed on
LONGEST_WORDS = 500  # characters of the endpoint's that are kept

_TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Where an answer has its score and the model's name, and between which scores one is believed."""

    score: Paths
    model: Paths
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Asked:
    """What an endpoint answered: the body as it came, and `words` of it that may be shown. Times in milliseconds."""

    status: int
    body: bytes
    words: str
    latency: int
    at: int


def request(
    interaction: CXoneInteraction,
    fields: Mapping[str, Paths],
    known: Mapping[str, Any] | None = None,
    details: Mapping[str, Paths] | None = None,
) -> bytes:
    """Return the body that asks for a score: id, time, and `fields` {name: paths into the record}.

    `details` are {name: paths} into what is `known` besides: of that only text, numbers, true and false are handed on.
    """
    record = msgspec.to_builtins(interaction)
    more: dict[str, object] = {name: _plain(first(known or {}, paths)) for name, paths in (details or {}).items()}
    more |= {name: first(record, paths) for name, paths in fields.items()}
    return orjson.dumps(more | {"interactionId": interaction.interaction_id, "timestamp": interaction.timestamp})


def _plain(value: object) -> str | float | bool | None:
    if isinstance(value, str):
        return value[:LONGEST_ID].encode("utf-8", "replace").decode()  # a lone surrogate is no text
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) < LARGEST else None
    return value if isinstance(value, bool | float) else None


def outcome(
    answer: Asked,
    job: Job[CXoneInteraction],
    *,
    scale: Scale,
    encode: Callable[[InteractionScore], bytes],
) -> Outcome:
    """Return what an answer means: a score, another attempt, or a dead letter."""
    said = f"{answer.status} {answer.words}".strip()
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        found = _object(answer.body)
        score = first(found, scale.score)
        if problem := _problem(score, scale):
            return Refused(NO_SCORE, f"{problem}: {said}")
        assert isinstance(score, int | float)  # noqa: S101 - else there was a problem
        result = InteractionScore(
            interaction_id=job.message.interaction_id,
            score=float(score),
            model=_name(first(found, scale.model)),
            latency_ms=answer.latency,
            scored_at=answer.at,
        )
        headers = tuple(pair for pair in job.record.headers if pair[0] in {SOURCE_POSITION, EVENT_ID})
        return Done((Outgoing(ML_SCORES.name, job.record.key, encode(result), headers),))
    if answer.status in _TRY_AGAIN or not HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Failed(said)
    return Refused(REFUSED, said)


def _problem(score: object, scale: Scale) -> str | None:
    if score is None:
        return "the answer has no score"
    if isinstance(score, bool) or not isinstance(score, int | float):
        return f"the score is a {type(score).__name__}, no number"
    try:
        finite = isfinite(score)
    except OverflowError:
        finite = False
    if not finite:
        return "the score is not finite"
    if not scale.lowest <= score <= scale.highest:
        return f"the score is not from {scale.lowest:g} to {scale.highest:g}"
    return None


def _name(model: object) -> str | None:
    return model if isinstance(model, str) and 0 < len(model) <= LONGEST_ID else None


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
