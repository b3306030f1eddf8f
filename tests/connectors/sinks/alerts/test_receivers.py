"""What Alertmanager and webhooks are told, and what their answers mean."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from connectors.errors import Misconfigured, Unavailable
from connectors.http.exchange import Exchange
from connectors.sinks.alerts.alertmanager import Alertmanager, entries
from connectors.sinks.alerts.receiver import Notice, Posting
from connectors.sinks.alerts.webhook import Webhook
from schemas.records import AlertRecord

NOW = 1_795_250_500.0
ALERT = AlertRecord(
    alert_id="a1b2",
    rule="handle-time",
    metric="avg_handle_time",
    queue="billing|EU",
    state="open",
    severity="critical",
    value=400.5,
    threshold=240.0,
    opened_at=1_795_250_400_000,
    resolved_at=None,
    updated=1_795_250_460_000,
    revision=2,
)
TOKEN = SecretStr("t0k-en-of-the-receiver")


def posting(answer: Callable[[httpx.Request], httpx.Response]) -> Posting:
    exchange = Exchange("the receiver", httpx.MockTransport(answer), timeout=60, now=lambda: 0.0)
    return Posting("the receiver", "https://alerts.example/api", TOKEN, exchange)


def answering(status: int, text: str = "", **headers: str) -> tuple[Posting, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, text=text, headers=headers)

    return posting(answer), asked


def told(notice: Notice) -> list[dict[str, Any]]:
    return list(entries(notice, NOW, 60))


def test_an_open_alert_ends_three_times_resend_ahead() -> None:
    (entry,) = told(Notice(ALERT))

    assert entry["labels"] == {
        "alertname": "handle-time",
        "alert_id": "a1b2",
        "metric": "avg_handle_time",
        "severity": "critical",
        "queue": "billing|EU",
    }
    assert entry["annotations"]["summary"] == "avg_handle_time of queue billing|EU: 400.5 (threshold 240)."
    assert (entry["startsAt"], entry["endsAt"]) == ("2026-11-21T08:40:00.000Z", "2026-11-21T08:44:40.000Z")


def test_an_alert_over_all_queues_names_none() -> None:
    (entry,) = told(Notice(replace(ALERT, queue="")))

    assert "queue" not in entry["labels"]
    assert "all queues" in entry["annotations"]["summary"]


def test_one_that_became_critical_is_another_and_the_warning_ends() -> None:
    ended, begun = told(Notice(ALERT, was=frozenset({"warning"})))

    assert (ended["labels"]["severity"], ended["endsAt"]) == ("warning", "2026-11-21T08:41:00.000Z")
    assert begun["labels"]["severity"] == "critical"


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({"state": "resolved", "resolved_at": 1_795_250_640_000}, "2026-11-21T08:44:00.000Z"),
        ({"state": "retracted"}, "2026-11-21T08:41:40.000Z"),
        ({"state": "retracted", "opened_at": 1_795_260_000_000}, "2026-11-21T11:20:00.001Z"),
    ],
)
def test_what_is_over_ends_when_it_was_and_never_before_it_began(changes: dict[str, Any], ends: str) -> None:
    (entry,) = told(Notice(replace(ALERT, **changes)))

    assert entry["endsAt"] == ends


async def test_alertmanager_gets_all_in_one_request() -> None:
    through, asked = answering(200)

    notices = [Notice(ALERT, frozenset({"warning"})), Notice(ALERT)]
    assert await Alertmanager(through, resend=60).tell(notices, NOW) is None

    (request,) = asked
    assert len(orjson.loads(request.content)) == 3
    assert request.headers["Authorization"] == "Bearer t0k-en-of-the-receiver"
    assert "Idempotency-Key" not in request.headers


async def test_a_webhook_gets_the_record_under_a_key_of_its_revision() -> None:
    through, asked = answering(204)

    assert await Webhook(through).tell([Notice(ALERT)], NOW) is None

    assert asked[0].headers["Idempotency-Key"] == "a1b2-2"
    content = orjson.loads(asked[0].content)
    assert (content["state"], content["opened_at"], content["resolved_at"]) == (
        "open",
        "2026-11-21T08:40:00.000Z",
        None,
    )
    assert content.keys() == set(AlertRecord.__slots__)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503])
async def test_what_may_be_another_the_next_time_is_unavailable(status: int) -> None:
    through, _ = answering(status, **{"Retry-After": "7"})

    with pytest.raises(Unavailable) as away:
        await Webhook(through).tell([Notice(ALERT)], NOW)

    assert away.value.retry_after == 7


@pytest.mark.parametrize("status", [302, 401, 403, 404, 405, 407])
async def test_what_needs_a_person_is_misconfigured(status: int) -> None:
    through, _ = answering(status)

    with pytest.raises(Misconfigured, match=f"the receiver answered {status}"):
        await Webhook(through).tell([Notice(ALERT)], NOW)


async def test_what_is_refused_is_told_in_the_receivers_words_without_the_token() -> None:
    through, _ = answering(422, "no such queue, says t0k-en-of-the-receiver" + "x" * 2000)

    words = await Webhook(through).tell([Notice(ALERT)], NOW)

    assert words is not None
    assert words.startswith("422 no such queue")
    assert "t0k-en" not in words
    assert len(words) < 700
