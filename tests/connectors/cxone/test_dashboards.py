"""CXone's dashboards over real HTTP on this machine."""

import pytest

from connectors.cxone import dialect
from connectors.cxone.dashboards import Budget, DashboardApi, connected
from connectors.errors import Unavailable
from connectors.settings import CxoneSettings
from tests.support.dashboards_api import DashboardsApi, serve


async def pause(seconds: float) -> None:
    pass


def client(api: DashboardsApi) -> DashboardApi:
    settings = CxoneSettings(
        client_id="client",
        client_secret="made-up",
        dashboards_token_url=f"{api.url}/oauth/v2/token",
        dashboards_api_url=api.url,
    )
    return connected(dialect.load("v2"), settings, timeout=60, connections=2, pause=pause)


async def test_a_document_comes_with_its_etag_and_goes_back_under_it() -> None:
    async with serve(DashboardsApi({"a b/c": {"name": "é"}})) as api:
        using = client(api)

        got = (await using.get("a b/c")).answer
        put = (await using.put("a b/c", b'{"name":"x"}', got.etag, key="k1")).answer
        again = (await using.put("a b/c", b'{"name":"y"}', got.etag, key="k2")).answer
        await using.close()

    assert (got.status, got.etag, got.encoding) == (200, '"1"', "")
    assert (put.status, put.etag) == (200, '"2"')
    assert again.status == 412
    assert api.documents == {"a b/c": {"name": "x"}}


async def test_what_is_not_there_is_made() -> None:
    async with serve(DashboardsApi()) as api:
        using = client(api)

        absent = (await using.get("new")).answer
        made = (await using.create("new", b'{"id":"new"}', key="k")).answer
        await using.close()

    assert (absent.status, made.status) == (404, 201)
    assert api.documents == {"new": {"id": "new"}}


async def test_a_document_is_longer_than_what_is_shown_of_others() -> None:
    words = "x" * 200_000
    async with serve(DashboardsApi({"a": {"name": words}})) as api:
        using = client(api)

        got = (await using.get("a")).answer
        await using.close()

    assert got.json() == {"name": words}


async def test_429_is_waited_out_and_401_renews_the_token() -> None:
    async with serve(DashboardsApi({"a": {}}, answers=[429, 401])) as api:
        using = client(api)

        got = (await using.get("a")).answer
        await using.close()

    assert got.status == 200
    assert [answer for _, _, answer in api.requests] == [429, 401, 200]


async def test_a_lost_answer_is_none() -> None:
    async with serve(DashboardsApi({"a": {}}, lose=1)) as api:
        using = client(api)

        with pytest.raises(Unavailable):
            await using.put("a", b"{}", '"1"', key="k")
        await using.close()

    assert api.requests == [("PUT", "/api/v2/dashboards/a", 200)]


def test_a_budget_spreads_requests_evenly() -> None:
    now = 0.0
    budget = Budget(10, lambda: now)

    waits = [budget.wait() for _ in range(3)]
    now = 5.0

    assert waits == pytest.approx([0, 0.1, 0.2])
    assert budget.wait() == 0
