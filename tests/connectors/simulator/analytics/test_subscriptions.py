"""Event subscriptions of the stand-in."""

from typing import Any

import orjson
import pytest

from connectors.simulator.analytics.subscriptions import MOST, Subscriptions

BODY: dict[str, Any] = {
    "subscriptionName": "wallboard",
    "eventType": "interaction",
    "filters": {"status": "active"},
    "requestedFields": ["interactionId", "metrics.handleTime"],
}


def body(**changes: object) -> bytes:
    return orjson.dumps(BODY | changes)


def test_a_subscription_is_made_shown_and_deleted() -> None:
    subscriptions = Subscriptions()

    status, made = subscriptions.create(body())

    assert (status, made["status"]) == (201, "active")
    assert subscriptions.show(made["subscriptionId"])[0] == 200
    assert made["subscriptionId"] in subscriptions
    assert subscriptions.delete(made["subscriptionId"]) == (204, {})
    assert subscriptions.delete(made["subscriptionId"])[0] == 404
    assert subscriptions.show(made["subscriptionId"])[0] == 404


@pytest.mark.parametrize(
    ("wrong", "status", "words"),
    [
        (b"{", 400, "JSON"),
        (body(subscriptionName=""), 400, "subscriptionName"),
        (body(requestedFields=[]), 400, "requestedFields"),
        (body(extra=1), 400, "extra"),
        (body(requestedFields=["interactionId", "metrics.mood"]), 422, "'metrics.mood'"),
        (body(requestedFields=["agentId"]), 422, "'agentId'"),
    ],
)
def test_a_request_that_is_wrong_is_told_why(wrong: bytes, status: int, words: str) -> None:
    answered, told = Subscriptions().create(wrong, refused_fields=("agentId",))

    assert answered == status
    assert words in told["message"]


def test_what_is_forgotten_is_not_known_and_ids_do_not_come_again() -> None:
    subscriptions = Subscriptions()
    first = subscriptions.create(body())[1]["subscriptionId"]

    subscriptions.forget()

    assert first not in subscriptions
    assert subscriptions.create(body())[1]["subscriptionId"] != first
    assert (len(subscriptions), subscriptions.made) == (1, 2)


def test_subscriptions_are_bounded() -> None:
    subscriptions = Subscriptions()
    for _ in range(MOST):
        assert subscriptions.create(body())[0] == 201

    assert subscriptions.create(body())[0] == 422
