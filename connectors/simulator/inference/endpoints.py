"""The stand-in model's endpoint, `POST /inference`, and what judges ask about it."""

import asyncio
from contextlib import suppress
from hashlib import blake2b
from random import Random

import orjson
from aiohttp import web

from connectors.simulator.answers import json, lines, refused
from connectors.simulator.faults import FaultBox
from connectors.simulator.inference.ledger import ScoreLedger

MODEL = "stand-in-1"
# What is no score, and what looks like one
NONSENSE: tuple[bytes, ...] = (
    b"",
    b"<html>",
    b"{}",
    b"[]",
    b'{"score": NaN}',
    b'{"score": 1e999}',
    b'{"score": "0.5"}',
    b'{"score": true}',
    b'{"score": null}',
    b'{"score": 1000000}',
    b'{"score": [' + b"[" * 2000,
)


class Inference:
    """Scores by the interaction's id alone, so that a judge knows every score."""

    def __init__(self, faults: FaultBox, *, seed: int) -> None:
        self.ledger = ScoreLedger()
        self._faults = faults
        self._rng = Random(seed)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/inference", self._score),
            web.get("/ledger/inference", self._counts),
            web.get("/ledger/inference/keys", self._keys),
        ]

    async def _score(self, request: web.Request) -> web.Response:
        response = self._answer(request.headers.get("Idempotency-Key"), await request.read())
        if seconds := self._faults.now.inference_seconds:
            await asyncio.sleep(seconds)
        self.ledger.answered(response.status)
        return response

    def _answer(self, key: str | None, body: bytes) -> web.Response:
        wanted = _wanted(body)
        if not key or wanted is None:
            return json({"error": "interactionId, timestamp and the header Idempotency-Key are needed"}, 400)
        self.ledger.asked(key, wanted)
        if refusal := self._faults.take("inference"):
            return refused(refusal)
        faults = self._faults.now
        drawn = self._rng.random() - faults.inference_500
        if drawn < 0:
            return json({"error": "an internal error occurred"}, 500)
        drawn -= faults.inference_429
        if drawn < 0:
            return json({"error": "too many requests"}, 429, {"Retry-After": f"{faults.inference_retry_after:g}"})
        if drawn < faults.inference_nonsense:
            return web.Response(body=self._rng.choice(NONSENSE), content_type="application/json")
        self.ledger.scored(key)
        return json({"score": score_of(wanted), "model": MODEL})

    async def _counts(self, _: web.Request) -> web.Response:
        return json(self.ledger.counts())

    async def _keys(self, request: web.Request) -> web.StreamResponse:
        return await lines(request, self.ledger.rows())


def score_of(interaction_id: str) -> float:
    """Return the score that the stand-in gives, from 0 to 1."""
    return int.from_bytes(blake2b(interaction_id.encode(), digest_size=4).digest(), "big") / 2**32


def _wanted(body: bytes) -> str | None:
    with suppress(ValueError):
        match orjson.loads(body):
            case {"interactionId": str(interaction_id), "timestamp": int()} if interaction_id:
                return interaction_id
    return None
