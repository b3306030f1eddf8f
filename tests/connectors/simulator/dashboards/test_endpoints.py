"""The dashboards API over HTTP: ETags, others' edits, and everything that goes wrong on request."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.connectors.simulator.dashboards.samples import dashboard
from tests.support.endpoints import Doors, open_doors


@pytest.fixture(name="doors")
async def _doors() -> AsyncIterator[Doors]:
    async with open_doors() as doors:
        yield doors


async def counts(doors: Doors) -> dict[str, Any]:
    return await doors.counts(doors.addresses.dashboards_ledger_url)


async def writes(doors: Doors) -> list[dict[str, Any]]:
    return await doors.rows(f"{doors.addresses.dashboards_ledger_url}/writes")


async def edit(doors: Doors, name: str, path: list[str], value: object, by: str = "Maria") -> httpx.Response:
    body = {"id": name, "path": path, "value": value, "by": by}
    return await doors.http.post(doors.addresses.dashboards_edit_url, json=body)


async def test_a_dashboard_is_created_read_and_written_over_its_etag(doors: Doors) -> None:
    created = await doors.dashboard("POST", "d-1", dashboard())
    read = await doors.dashboard("GET", "d-1")
    written = await doors.dashboard("PUT", "d-1", read.json() | {"name": "B"}, etag=read.headers["ETag"], key="a-1")

    assert (created.status_code, read.status_code, written.status_code) == (201, 200, 200)
    assert created.headers["ETag"] == read.headers["ETag"] != written.headers["ETag"]
    assert written.json()["name"] == "B"
    assert (written.json()["version"], written.json()["modifiedBy"]) == (2, {"name": "cxone-streams"})
    assert read.json()["tenant"] == written.json()["tenant"]
    first, second = await writes(doors)
    assert (first["method"], second["method"], second["key"], second["status"]) == ("POST", "PUT", "a-1", 200)
    assert (second["etag_before"], second["etag_after"]) == (read.headers["ETag"], written.headers["ETag"])
    assert await counts(doors) == {
        "writes": 2,
        "taken": 2,
        "unheard": 0,
        "blind": 0,
        "fields_dropped": 0,
        "cut": 0,
        "edits": 0,
        "too_soon": 0,
        "most_a_second": 3,
        "statuses": {"GET": {"200": 1}, "PUT": {"200": 1}, "POST": {"201": 1}},
    }


async def test_an_old_etag_is_refused(doors: Doors) -> None:
    created = await doors.dashboard("POST", "d-1", dashboard())
    edited = await edit(doors, "d-1", ["widgets", "W0", "refreshInterval"], 99)

    refused = await doors.dashboard("PUT", "d-1", created.json(), etag=created.headers["ETag"])

    assert (refused.status_code, refused.headers["ETag"]) == (412, edited.headers["ETag"])
    read = await doors.dashboard("GET", "d-1")
    assert (read.json()["widgets"][0]["refreshInterval"], read.json()["modifiedBy"]) == (99, {"name": "Maria"})
    rows = await doors.rows(f"{doors.addresses.dashboards_ledger_url}/edits")
    assert [(row["path"], row["value"], row["by"]) for row in rows] == [
        (["widgets", "W0", "refreshInterval"], 99, "Maria")
    ]


async def test_a_write_without_an_etag_goes_over_everything_and_is_counted(doors: Doors) -> None:
    await doors.dashboard("POST", "d-1", dashboard())

    written = await doors.dashboard("PUT", "d-1", dashboard(name="over"))

    assert written.status_code == 200
    assert ((await counts(doors))["blind"], (await counts(doors))["fields_dropped"]) == (1, 1)


async def test_what_is_not_there_and_what_is_there_already(doors: Doors) -> None:
    assert (await doors.dashboard("GET", "d-1")).status_code == 404
    assert (await doors.dashboard("PUT", "d-1", dashboard())).status_code == 404
    assert (await doors.dashboard("POST", "d-1", dashboard())).status_code == 201
    assert (await doors.dashboard("POST", "d-1", dashboard())).status_code == 409


async def test_what_is_no_dashboard_is_refused_with_words(doors: Doors) -> None:
    answer = await doors.dashboard("POST", "d-1", dashboard(widgets=16))

    assert answer.status_code == 400
    assert "at most 15 widgets" in answer.json()["message"]
    assert (
        await doors.http.request(
            "POST", doors.addresses.dashboards_edit_url, content=b"[]", headers={"Content-Type": "application/json"}
        )
    ).status_code == 400
    assert (await edit(doors, "d-1", ["name"], "x")).status_code == 400


async def test_tokens_and_scopes_are_checked(doors: Doors) -> None:
    await doors.fault(scopes_withheld=["dashboard:write"])

    assert (await doors.dashboard("GET", "d-1", token="nonsense")).status_code == 401
    refused = await doors.dashboard("POST", "d-1", dashboard())

    assert (refused.status_code, refused.json()["message"]) == (
        403,
        "The access token lacks the scope dashboard:write.",
    )
    assert [row["status"] for row in await writes(doors)] == [403]


@pytest.mark.parametrize(
    ("faults", "status"),
    [
        ({"dashboards": {"status": 400, "times": 1}}, 400),
        ({"dashboards_500": 1.0}, 503),
        ({"dashboards_429": 1.0}, 429),
    ],
)
async def test_is_down_on_request(doors: Doors, faults: dict[str, Any], status: int) -> None:
    await doors.fault(**faults)

    answer = await doors.dashboard("POST", "d-1", dashboard())

    assert answer.status_code == status
    assert (answer.headers.get("Retry-After") == "1") == (status == 429)
    assert (await counts(doors))["taken"] == 0


async def test_an_answer_gets_lost_behind_a_write_that_was_taken(doors: Doors) -> None:
    created = await doors.dashboard("POST", "d-1", dashboard())
    await doors.fault(dashboards_lost=1.0)

    with pytest.raises(httpx.TransportError):
        await doors.dashboard("PUT", "d-1", created.json() | {"name": "B"}, etag=created.headers["ETag"])

    assert (await doors.dashboard("GET", "d-1")).json()["name"] == "B"
    assert (await counts(doors))["unheard"] == 1


async def test_a_gateway_answers_for_a_write_that_was_taken(doors: Doors) -> None:
    await doors.fault(dashboards_502=1.0)

    answer = await doors.dashboard("POST", "d-1", dashboard())

    assert answer.status_code == 502
    row = (await writes(doors))[0]
    assert (row["status"], row["etag_after"]) == (502, (await doors.dashboard("GET", "d-1")).headers["ETag"])


async def test_a_storm_lets_every_write_meet_somebody(doors: Doors) -> None:
    created = await doors.dashboard("POST", "d-1", dashboard())
    await doors.fault(dashboards_storm=1.0)

    answer = await doors.dashboard("PUT", "d-1", created.json(), etag=created.headers["ETag"])

    assert answer.status_code == 412
    assert (await counts(doors))["edits"] == 1


@pytest.mark.parametrize(
    ("style", "etag"), [("weak", 'W/"d-1-1"'), ("compressed", '"d-1-1-gzip"'), ("missing", None), ("strong", '"d-1-1"')]
)
async def test_etags_of_every_style(doors: Doors, style: str, etag: str | None) -> None:
    await doors.dashboard("POST", "d-1", dashboard())
    await doors.fault(dashboards_etags=style)

    assert (await doors.dashboard("GET", "d-1")).headers.get("ETag") == etag


async def test_a_retry_after_that_is_not_waited_for_is_counted(doors: Doors) -> None:
    await doors.fault(dashboards_429=1.0)
    await doors.dashboard("GET", "d-1")
    await doors.fault(dashboards_429=0)
    await doors.dashboard("GET", "d-1")
    doors.clock[0] += 2
    await doors.dashboard("GET", "d-1")

    assert (await counts(doors))["too_soon"] == 1


async def test_somebody_edits_beside_us(doors: Doors) -> None:
    await edit(doors, "d-1", [], dashboard(), by="Jon")
    await doors.fault(dashboards_edits=1000)
    async with asyncio.timeout(60):
        while (await counts(doors))["edits"] < 20:
            pass
    await doors.fault(dashboards_edits=0)

    documents = await doors.rows(f"{doors.addresses.dashboards_ledger_url}/documents")

    assert documents[0]["document"]["version"] == (await counts(doors))["edits"]
