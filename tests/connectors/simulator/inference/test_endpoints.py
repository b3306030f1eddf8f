"""The stand-in model: scores, and what it does instead."""

from collections.abc import AsyncIterator

import httpx
import pytest

from connectors.simulator.inference.endpoints import MODEL, score_of
from tests.support.endpoints import Doors, open_doors


@pytest.fixture(name="doors")
async def _doors() -> AsyncIterator[Doors]:
    async with open_doors() as doors:
        yield doors


async def score(doors: Doors, key: str = "0-1", interaction: object = "i-1") -> httpx.Response:
    body = {"interactionId": interaction, "timestamp": 1_700_000_000_000}
    return await doors.http.post(doors.addresses.inference_url, json=body, headers={"Idempotency-Key": key})


async def test_a_score_follows_from_the_id() -> None:
    assert score_of("i-1") != score_of("i-2")
    assert all(0 <= score_of(f"i-{number}") < 1 for number in range(1000))


async def test_each_key_is_counted(doors: Doors) -> None:
    first, again, other = await score(doors), await score(doors), await score(doors, "0-2", "i-2")
    await score(doors, "0-2", "i-3")

    assert first.json() == again.json() == {"score": score_of("i-1"), "model": MODEL}
    assert other.json()["score"] == score_of("i-2")
    assert await doors.counts(doors.addresses.inference_ledger_url) == {
        "keys": 2,
        "scored": 2,
        "repeats": 2,
        "conflicts": 1,
        "answers": {"200": 4},
    }
    assert await doors.rows(f"{doors.addresses.inference_ledger_url}/keys") == [
        {"key": "0-1", "interaction_id": "i-1", "times": 2, "scored": 2},
        {"key": "0-2", "interaction_id": "i-2", "times": 2, "scored": 2},
    ]


@pytest.mark.parametrize(("key", "interaction"), [("", "i-1"), ("0-1", ""), ("0-1", 7)])
async def test_what_is_no_request_is_refused(doors: Doors, key: str, interaction: object) -> None:
    assert (await score(doors, key, interaction)).status_code == 400


async def test_faults_are_drawn(doors: Doors) -> None:
    await doors.fault(inference_500=1)
    assert (await score(doors)).status_code == 500
    await doors.fault(inference_500=0, inference_429=1, inference_retry_after=3)
    busy = await score(doors)
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "3")
    await doors.fault(inference_429=0, inference_nonsense=1)
    nonsense = {(await score(doors)).content for _ in range(100)}
    assert len(nonsense) > 5
    await doors.fault(inference_nonsense=0, inference={"status": 503, "times": 1})
    assert [(await score(doors)).status_code for _ in range(2)] == [503, 200]
