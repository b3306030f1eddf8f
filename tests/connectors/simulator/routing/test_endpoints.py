import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.endpoints import Doors, open_doors, said


@pytest.fixture(name="doors")
async def _doors() -> AsyncIterator[Doors]:
    async with open_doors() as doors:
        yield doors


async def counts(doors: Doors) -> dict[str, object]:
    return await doors.counts(doors.addresses.routing_ledger_url)


async def test_a_key_is_taken_once(doors: Doors) -> None:
    first, other, again = await doors.route("k-1"), await doors.route("k-2"), await doors.route("k-1")

    assert [answer.status_code for answer in (first, other, again)] == [201, 201, 201]
    assert first.json() == {"id": "routed-00000001", "conversationId": "c-1", "queueId": "sales", "status": "queued"}
    assert again.json() == first.json()
    assert other.json()["id"] != first.json()["id"]
    counted = await counts(doors)
    assert (counted["calls"], counted["taken"], counted["repeats"], counted["unheard"]) == (3, 2, 1, 0)
    rows = await doors.rows(f"{doors.addresses.routing_ledger_url}/keys")
    assert [(row["key"], row["calls"], row["order"]) for row in rows] == [("k-1", 2, 1), ("k-2", 1, 2)]


async def test_a_key_stands_for_one_message(doors: Doors) -> None:
    await doors.route("k-1", "Hello")

    assert (await doors.route("k-1", "Bye")).status_code == 409


@pytest.mark.parametrize(
    ("queue", "status", "words"),
    [("gone", 403, "is archived"), ("salse", 400, "The queue 'salse' does not exist."), ("sales", 201, "queued")],
)
async def test_queues_are_known_archived_or_unknown(doors: Doors, queue: str, status: int, words: str) -> None:
    await doors.fault(queues=["sales"], queues_archived=["gone"])

    answer = await doors.route("k-1", queue=queue)

    assert answer.status_code == status
    assert words in answer.text


async def test_a_token_is_needed_with_its_scope(doors: Doors) -> None:
    stranger, reader = await doors.route("k", token="x"), await doors.route("k", token=await doors.token("users:read"))

    assert stranger.status_code == 401
    assert reader.status_code == 403
    assert "routing:write" in reader.text


@pytest.mark.parametrize("body", ["", "[]", '{"type":"webchat"}'])
async def test_a_body_that_is_no_conversation_is_refused(doors: Doors, body: str) -> None:
    headers = {"Authorization": f"Bearer {await doors.token()}", "Idempotency-Key": "k"}

    answer = await doors.http.post(doors.addresses.routing_url, content=body, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad.request")


async def test_a_key_is_needed(doors: Doors) -> None:
    answer = await doors.route("")

    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.text


async def test_shares_fail_and_are_taken_by_a_later_call(doors: Doors) -> None:
    await doors.fault(routing_500=0.3, routing_429=0.1, routing_retry_after=7)
    token = await doors.token()

    answers = [await doors.route(f"k-{number}", token=token) for number in range(200)]

    statuses = [answer.status_code for answer in answers]
    assert 40 <= statuses.count(500) <= 80
    assert 8 <= statuses.count(429) <= 35
    limited = statuses.index(429)
    assert answers[limited].headers["Retry-After"] == "7"
    counted = await counts(doors)
    assert counted["statuses"] == {str(status): statuses.count(status) for status in (201, 429, 500)}
    assert counted["too_soon"] == 199 - limited
    await doors.fault(routing_500=0, routing_429=0)
    assert (await doors.route(f"k-{limited}", token=token)).status_code == 201
    assert (await counts(doors))["repeats"] == 0


async def test_refuses_on_request(doors: Doors) -> None:
    await doors.fault(routing={"status": 429, "retry_after": "Mon, 02 Mar 2026 09:31:00 GMT", "times": 1})

    first, second = await doors.route("k"), await doors.route("k")

    assert (first.status_code, second.status_code) == (429, 201)
    assert first.headers["Retry-After"].endswith("GMT")


async def test_a_call_that_times_out_was_taken_and_is_unheard(doors: Doors) -> None:
    await doors.fault(routing_timeouts=1, routing_timeout_seconds=0.5)
    token = await doors.token()
    hurried = asyncio.create_task(doors.route("k", token=token))
    async with asyncio.timeout(60):
        while not (await counts(doors))["under_way"]:  # noqa: ASYNC110 - behind HTTP
            await asyncio.sleep(0.005)
        hurried.cancel()  # what a client's own deadline does
        while (await counts(doors))["under_way"]:  # noqa: ASYNC110 - behind HTTP
            await asyncio.sleep(0.005)

    await doors.fault(routing_timeouts=0)
    assert (await doors.route("k", token=token)).status_code == 201

    counted = await counts(doors)
    assert (counted["taken"], counted["repeats"], counted["unheard"]) == (1, 1, 1)


async def test_calls_wait_side_by_side(doors: Doors) -> None:
    await doors.fault(routing_seconds=0.02)
    token = await doors.token()

    await asyncio.gather(*(doors.route(f"k-{number}", token=token) for number in range(20)))

    counted = await counts(doors)
    assert counted["most_under_way"] in range(2, 21)
    assert (counted["under_way"], counted["taken"]) == (0, 20)


async def test_tells_how_long_after_its_frame_a_message_was_taken(doors: Doors) -> None:
    async with doors.connector() as ws, doors.guest() as guest:
        await guest.send(said("Hello"))
        await ws.recv()
    doors.clock[0] += 2

    await doors.route("k-1", "Hello")
    await doors.route("k-2", "of another")

    assert (await counts(doors))["seconds"] == {"p50": 2.0, "p95": 2.0, "p99": 2.0, "max": 2.0}
    rows = await doors.rows(f"{doors.addresses.routing_ledger_url}/keys")
    assert [row["seconds"] for row in rows] == [2.0, None]
    assert {row["conversation_id"] for row in rows} == {"c-1"}
