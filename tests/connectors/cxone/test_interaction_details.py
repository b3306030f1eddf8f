"""What CXone tells of an interaction: remembered, asked once, and done without when it does not answer."""

import asyncio
from collections.abc import Callable

import pytest

from connectors.cxone import dialect, interaction_details
from connectors.cxone.interaction_details import GOOD_FOR, QUIET, InteractionDetails
from connectors.errors import ConfigurationError, Unavailable
from connectors.http.exchange import Answer
from connectors.simulator.faults import Faults, Refusal
from connectors.simulator.inference.details import details_of
from connectors.simulator.server import Simulation, serve

URL = "https://cxone.test/api/v2/interactions"


class Api:
    """Answers with `answer`, or raises it; None never answers."""

    def __init__(self) -> None:
        self.answer: Answer | Exception | None = Answer(200, b'{"queueId": "sales"}')
        self.asked: list[str] = []

    async def ask(self, method: str, url: str) -> Answer:
        assert method == "GET"
        self.asked.append(url)
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        assert self.answer is not None
        return self.answer

    async def close(self) -> None: ...


class Rig:
    def __init__(self) -> None:
        self.api, self.time = Api(), 1000.0
        self.details = InteractionDetails(self.api, URL, timeout=0.01, clock=lambda: self.time)


async def test_an_answer_is_remembered_for_some_minutes() -> None:
    rig = Rig()

    for _ in range(3):
        assert await rig.details.of("a/b?") == {"queueId": "sales"}
    assert rig.api.asked == [f"{URL}/a%2Fb%3F"]
    rig.time += GOOD_FOR
    await rig.details.of("a/b?")

    assert len(rig.api.asked) == 2


async def test_an_id_that_leads_out_of_the_interactions_is_not_asked_for() -> None:
    rig = Rig()

    assert [await rig.details.of(name) for name in (".", "..")] == [{}, {}]
    assert rig.api.asked == []


async def test_what_cxone_does_not_know_is_remembered_too() -> None:
    rig = Rig()
    rig.api.answer = Answer(404)

    assert [await rig.details.of("i"), await rig.details.of("i")] == [{}, {}]
    assert len(rig.api.asked) == 1


async def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interaction_details, "REMEMBERED", 2)
    rig = Rig()

    for name in ("a", "b", "c", "b", "a"):
        await rig.details.of(name)

    assert [url.rpartition("/")[2] for url in rig.api.asked] == ["a", "b", "c", "a"]


@pytest.mark.parametrize("answer", [None, Unavailable("CXone did not answer"), Answer(500), Answer(403)])
async def test_after_a_failure_nobody_is_asked_for_some_seconds(answer: Answer | Exception | None) -> None:
    rig = Rig()
    rig.api.answer = answer

    assert await rig.details.of("a") == {}
    assert await rig.details.of("b") == {}
    assert len(rig.api.asked) == 1
    rig.api.answer, rig.time = Answer(200, b'{"queueId": "sales"}'), rig.time + QUIET

    assert await rig.details.of("b") == {"queueId": "sales"}


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"[" * 100_000])
async def test_an_answer_that_is_no_object_tells_nothing(body: bytes) -> None:
    rig = Rig()
    rig.api.answer = Answer(200, body)

    assert await rig.details.of("a") == {}


async def told(faults: Faults, ask: Callable[[InteractionDetails], object], environment: pytest.MonkeyPatch) -> object:
    """Ask the simulator, with the settings that a worker would have."""
    async with serve(Simulation(faults=faults)) as places:
        base = places.messaging_token_url.removesuffix("/oauth/v2/token")
        for name, value in {
            "CXONE_CLIENT_ID": "simulator",
            "CXONE_CLIENT_SECRET": "simulator-secret",
            "CXONE_SCORING_TOKEN_URL": places.messaging_token_url,
            "CXONE_SCORING_API_URL": base,
        }.items():
            environment.setenv(name, value)
        spoken = dialect.load("v2").scoring.details
        assert spoken is not None
        details = interaction_details.connected(spoken, timeout=5.0, connections=2)
        found = await ask(details)  # type: ignore[misc]  # an awaitable
        await details.close()
    return found


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (Faults(), details_of("i-1")),
        (Faults(interactions=Refusal(status=500)), {}),
    ],
)
async def test_the_simulator_tells(
    faults: Faults, expected: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await told(faults, lambda details: details.of("i-1"), monkeypatch)

    assert isinstance(found, dict)
    assert {name: found[name] for name in found if name != "interactionId"} == expected


async def test_without_credentials_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    spoken = dialect.load("v2").scoring.details
    assert spoken is not None
    monkeypatch.delenv("CXONE_CLIENT_ID", raising=False)

    with pytest.raises(ConfigurationError, match="CXONE_CLIENT_ID"):
        interaction_details.connected(spoken, timeout=1.0, connections=1)
