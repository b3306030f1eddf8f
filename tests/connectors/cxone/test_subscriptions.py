"""Subscriptions to changes of dashboards: made once."""

import asyncio
from typing import Any

import orjson
import pytest

from connectors.cxone.dashboards import DashboardApi, Timed
from connectors.cxone.subscriptions import NAME, Subscribed, subscribe
from connectors.errors import AuthorizationError, ConfigurationError, Unavailable
from connectors.http.exchange import Answer

URL = "https://hooks.example/webhooks"


class Api(DashboardApi):
    """Lists what it has, unless it does not list."""

    def __init__(self, *, listed: int = 200, made: int = 201) -> None:
        self.listed, self.made = listed, made
        self.kept: list[dict[str, Any]] = []

    async def subscriptions(self) -> Timed:
        return Timed(Answer(self.listed, orjson.dumps({"entities": self.kept})), 0)

    async def subscribe(self, subscription: dict[str, object]) -> Timed:
        if self.made == 201:
            self.kept.append({"id": f"s{len(self.kept)}", **subscription})
        return Timed(Answer(self.made, orjson.dumps(self.kept[-1] if self.kept else {})), 0)


class Otherwise(Api):
    """Lists none, and names the id of what it makes `named`."""

    def __init__(self, named: str) -> None:
        super().__init__(listed=404)
        self.named = named

    async def subscribe(self, subscription: dict[str, object]) -> Timed:
        await super().subscribe(subscription)
        return Timed(Answer(201, orjson.dumps({self.named: f"s{len(self.kept) - 1}"})), 0)


class Memory(list[bytes]):
    async def recall(self) -> list[bytes]:
        return self

    async def remember(self, value: bytes) -> None:
        await asyncio.sleep(0)
        self.append(value)


async def test_it_is_made_once_and_found_by_its_name() -> None:
    api, memory = Api(), Memory([b"garbage"])

    assert await subscribe(api, URL, memory) == Subscribed("s0", made=True)
    assert await subscribe(api, URL, Memory()) == Subscribed("s0", made=False)
    (kept,) = api.kept
    assert kept["eventFilters"] == [
        {"eventType": "dashboard.updated", "entityId": "*"},
        {"eventType": "dashboard.created", "entityId": "*"},
    ]
    assert kept["delivery"]["retryPolicy"] == {"maxRetries": 3, "backoff": "exponential"}
    assert (kept["delivery"]["url"], kept["active"]) == (URL, True)


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_where_cxone_does_not_list_them_it_is_remembered(status: int) -> None:
    api, memory = Api(listed=status), Memory([b"garbage"])

    assert await subscribe(api, URL, memory) == Subscribed("s0", made=True)
    assert await subscribe(api, URL, memory) == Subscribed("s0", made=False)
    assert len(api.kept) == 1


async def test_an_id_under_its_other_name_is_remembered() -> None:
    api, memory = Otherwise("subscriptionId"), Memory([b'{"id":""}'])  # "" is what was remembered of such an answer

    assert await subscribe(api, URL, memory) == Subscribed("s0", made=True)
    assert await subscribe(api, URL, memory) == Subscribed("s0", made=False)


async def test_an_answer_without_an_id_is_not_remembered() -> None:
    memory = Memory()

    with pytest.raises(Unavailable, match="without an id"):
        await subscribe(Otherwise("name"), URL, memory)

    assert memory == []


async def test_ours_is_found_beside_one_that_delivers_elsewhere() -> None:
    api = Api()
    api.kept = [{"id": "other", "name": NAME, "delivery": {"url": "https://other.example/"}}]
    api.kept.append({"id": "ours", "name": NAME, "delivery": {"url": URL}})

    assert await subscribe(api, URL, Memory()) == Subscribed("ours", made=False)


async def test_one_that_delivers_elsewhere_is_named() -> None:
    api = Api()
    await subscribe(api, URL, Memory())

    with pytest.raises(ConfigurationError, match=f"named {NAME!r} that delivers to another URL"):
        await subscribe(api, "https://other.example/", Memory())


@pytest.mark.parametrize(
    ("api", "error"),
    [
        (Api(listed=403), AuthorizationError),
        (Api(listed=503), Unavailable),
        (Api(made=403), AuthorizationError),
        (Api(made=400), ConfigurationError),
    ],
)
async def test_a_refusal_says_what_is_missing(api: Api, error: type[Exception]) -> None:
    with pytest.raises(error):
        await subscribe(api, URL, Memory())
