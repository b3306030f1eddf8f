"""The doors of web messaging, spoken with by clients of another hand."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.support.endpoints import FORM, SCOPE, Doors, closing_code, greeting, open_doors, said


@pytest.fixture(name="doors")
async def _doors() -> AsyncIterator[Doors]:
    async with open_doors() as doors:
        yield doors


async def texts(ws: ClientConnection, number: int) -> list[str]:
    """Receive until there were so many inbound messages."""
    received: list[str] = []
    async with asyncio.timeout(60):
        while len(received) < number:
            frame = json.loads(await ws.recv())
            if frame.get("direction") == "inbound" and frame["type"] == "message":
                received.append(frame["text"])
    return received


async def test_a_token_names_the_scopes_that_it_grants(doors: Doors) -> None:
    await doors.fault(scopes_withheld=["routing:write"])

    answer = await doors.http.post(doors.addresses.messaging_token_url, data=FORM)

    body = answer.json()
    assert (answer.status_code, body["expires_in"], body["token_type"]) == (200, 3600, "Bearer")
    assert body["scope"] == "webchat:read conversations:read users:read"


async def test_a_guests_message_becomes_a_frame(doors: Doors) -> None:
    async with doors.connector() as ws, doors.guest() as guest:
        await guest.send(said("Hello", queueId="sales"))
        frame: dict[str, Any] = json.loads(await ws.recv())

    assert frame.pop("eventId")
    assert frame == {
        "type": "message",
        "direction": "inbound",
        "conversationId": "c-1",
        "timestamp": "2026-03-02T09:30:00.000Z",
        "text": "Hello",
        "guest": {"name": "Guest", "locale": "en-US"},
        "metadata": {"browserFingerprint": "f-1", "routing": {"queueId": "sales"}},
    }


async def test_what_guests_wrote_waits_for_a_connector_and_goes_to_each(doors: Doors) -> None:
    wrote = [f"line {number}" for number in range(50)]
    async with doors.guest() as guest:
        for text in wrote:
            await guest.send(said(text))

        async with doors.connector() as one, doors.connector() as other:
            assert await texts(one, 50) == wrote
            assert await texts(other, 50) == wrote

    rows = await doors.rows(f"{doors.addresses.messages_ledger_url}/all")
    assert [row["text"] for row in rows] == wrote
    assert set(rows[0]) == {
        *("event_id", "conversation_id", "fingerprint", "queue_id", "text"),
        *("said_at", "written_at"),
    }


async def test_the_ledger_tells_frames_apart(doors: Doors) -> None:
    await doors.fault(messages_redelivered=1, messages_malformed=1)

    async with doors.connector() as ws, doors.guest() as guest:
        await guest.send(said("Hello"))
        assert await texts(ws, 2) == ["Hello", "Hello"]
        await ws.recv()  # the malformed one
        counts = await doors.counts(doors.addresses.messages_ledger_url)

    assert (counts["inbound"], counts["redelivered"], counts["malformed"]) == (1, 1, 1)
    assert (counts["guests"], counts["connectors"]) == (1, 1)


@pytest.mark.parametrize(
    ("hello", "reason", "code"),
    [
        ('{"type":"auth","token":"made-up"}', "invalid token", 4401),
        ('{"type":"auth"}', "expected an auth message", 4400),
        ("nonsense", "expected an auth message", 4400),
    ],
)
async def test_who_does_not_authenticate_is_told_why(doors: Doors, hello: str, reason: str, code: int) -> None:
    async with connect(doors.addresses.messaging_ws_url) as ws:
        await ws.send(hello)

        assert json.loads(await ws.recv()) == {"type": "auth.error", "reason": reason}
        assert await closing_code(ws) == code


async def test_a_token_without_the_scope_opens_nothing(doors: Doors) -> None:
    async with connect(doors.addresses.messaging_ws_url) as ws:
        refused = await greeting(ws, await doors.token("routing:write"))

        assert refused == {"type": "auth.error", "reason": "missing scope webchat:read"}
        assert await closing_code(ws) == 4403


async def test_auth_is_refused_on_request(doors: Doors) -> None:
    await doors.fault(auth={"status": 401, "times": 1})

    async with connect(doors.addresses.messaging_ws_url) as ws:
        assert (await greeting(ws, await doors.token()))["type"] == "auth.error"
        assert await closing_code(ws) == 4401
    async with doors.connector():
        pass


async def test_the_handshake_and_the_token_are_refused_on_request(doors: Doors) -> None:
    await doors.fault(handshake={"status": 503, "times": 1}, token={"status": 500, "times": 1})

    with pytest.raises(InvalidStatus):
        await connect(doors.addresses.messaging_ws_url)
    assert (await doors.http.post(doors.addresses.messaging_token_url, data=FORM)).status_code == 500


async def test_a_socket_closes_when_its_token_ends(doors: Doors) -> None:
    async with doors.connector() as ws:
        doors.clock[0] += 3601

        assert await closing_code(ws) == 4001


async def test_a_socket_that_has_not_authenticated_gets_nothing(doors: Doors) -> None:
    async with connect(doors.addresses.messaging_ws_url) as ws, doors.guest() as guest:
        await guest.send(said("Hello"))
        async with doors.connector() as other:
            await texts(other, 1)

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.recv(), 0.02)


@pytest.mark.parametrize("message", ["nonsense", '{"text":""}', '{"text":"a","conversationId":"c","extra":1}'])
async def test_a_guest_is_told_what_is_wrong(doors: Doors, message: str) -> None:
    async with doors.guest() as guest:
        await guest.send(message)

        assert json.loads(await guest.recv())["error"]


async def test_other_scopes_are_not_granted(doors: Doors) -> None:
    answer = await doors.http.post(doors.addresses.messaging_token_url, data=FORM | {"scope": f"{SCOPE} admin"})

    assert answer.json()["scope"] == SCOPE
