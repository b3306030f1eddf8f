"""The model's endpoint over loopback HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from connectors.errors import ConfigurationError, Unavailable
from connectors.sinks.inference import Inference
from connectors.sinks.settings import InferenceSettings
from tests.support.hostile_http import Answering, HostilePeer, answering, dripping, hostile, response

TOKEN = "inference/t0ken"
SCORE = response(b'{"score": 0.5}')


class Pauses:
    """Pauses that take no time, and what was told."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.troubles: list[str | None] = []
        self.withdrawn = False

    async def pause(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)
        if self.withdrawn or len(self.slept) > 3:
            raise InterruptedError


@asynccontextmanager
async def asking(
    answer: Answering, *, token: str | None = TOKEN, seconds: float = 5.0
) -> AsyncIterator[tuple[Inference, HostilePeer, Pauses]]:
    pauses = Pauses()
    async with hostile(answer) as peer:
        settings = InferenceSettings.model_validate({"url": f"{peer.url}/inference", "token": token})
        model = Inference(
            settings, timeout=seconds, connections=2, pause=pauses.pause, on_trouble=pauses.troubles.append
        )
        yield model, peer, pauses
        await model.close()


@pytest.mark.parametrize("token", [TOKEN, None])
async def test_a_request_carries_its_key_and_the_token(token: str | None) -> None:
    async with asking(answering(SCORE), token=token) as (model, peer, _):
        answer, seconds = await model.ask(b'{"interactionId":"i"}', key="3-17")

    (asked,) = peer.asked
    assert (answer.status, answer.body) == (200, b'{"score": 0.5}')
    assert 0 <= seconds < 5
    assert (asked.path, asked.body) == ("/inference", b'{"interactionId":"i"}')
    assert asked.header("idempotency-key") == "3-17"
    assert asked.header("authorization") == (token and f"Bearer {token}")


async def test_everything_waits_as_long_as_a_429_says() -> None:
    busy = response(b"", "Retry-After: 7", status="429 x")
    async with asking(answering(busy, SCORE)) as (model, peer, pauses):
        with pytest.raises(InterruptedError):  # the clock is real: the gate is still closed
            await model.ask(b"{}", key="k")

    assert len(peer.asked) == 1
    assert 6 < pauses.slept[0] <= 7
    assert pauses.troubles == []


async def test_who_is_not_known_waits_for_a_person() -> None:
    async with asking(answering(response(b"", status="401 x"), SCORE)) as (model, _, pauses):
        with pytest.raises(InterruptedError):
            await model.ask(b"{}", key="k")

    assert 14 < pauses.slept[0] <= 15
    assert pauses.troubles == ["the model answered 401. Check INFERENCE_TOKEN."]


async def test_a_short_retry_after_is_over_and_the_answer_comes() -> None:
    busy = response(b"", "Retry-After: 0.000001", status="429 x")
    async with asking(answering(busy, SCORE)) as (model, peer, pauses):
        model._gate._clock = iter([0.0, 0.0, 0.5, 1.0, 1.0]).__next__
        answer, _ = await model.ask(b"{}", key="k")

    assert answer.status == 200
    assert len(peer.asked) == 2
    assert pauses.slept == [0.5]


async def test_an_answer_that_drips_is_none() -> None:
    async with asking(dripping, seconds=0.05) as (model, _, _):
        with pytest.raises(Unavailable, match="the model did not answer within"):
            await model.ask(b"{}", key="k")


async def test_what_it_says_is_shown_without_the_token() -> None:
    echo = response(b'{"error": "Bearer inference\\/t0ken\\n"}', status="422 x")
    async with asking(answering(echo)) as (model, _, _):
        answer, _ = await model.ask(b"{}", key="k")

    assert model.words(answer, 100) == '{"error": "Bearer ***\\n"}'


def test_a_proxy_that_cannot_be_used_is_refused_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://proxy.test:1")
    settings = InferenceSettings.model_validate({"url": "https://model.test/score"})

    with pytest.raises(ConfigurationError, match="https_proxy"):
        Inference(settings, timeout=1, connections=1)
