from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.endpoints import Doors, open_doors


@pytest.fixture(name="doors")
async def _doors() -> AsyncIterator[Doors]:
    async with open_doors() as doors:
        yield doors


def contact(number: int, external_id: str | None = None) -> dict[str, Any]:
    return {
        "external_id": external_id or f"c-{number}",
        "fingerprint": None,
        "last_message": f"line {number}",
        "queued_at": "2026-03-02T09:30:00.000Z",
    }


async def test_a_batch_is_taken_once_per_key(doors: Doors) -> None:
    first, again = await doors.contacts("k", contact(1), contact(2)), await doors.contacts("k", contact(1), contact(2))

    assert (first.status_code, first.json()) == (200, {"accepted": 2})
    assert again.status_code == 200
    counts = await doors.counts(doors.addresses.crm_ledger_url)
    assert counts == {
        "calls": 2,
        "batches": 1,
        "repeats": 1,
        "unheard": 0,
        "records": 2,
        "records_repeated": 0,
        "contacts": 2,
        "statuses": {"200": 2},
    }


async def test_a_record_that_comes_in_another_batch_is_counted(doors: Doors) -> None:
    await doors.contacts("k-1", contact(1))
    await doors.contacts("k-2", contact(1), contact(2, "c-1"))

    counts = await doors.counts(doors.addresses.crm_ledger_url)
    assert (counts["records"], counts["records_repeated"], counts["contacts"]) == (2, 1, 1)
    rows = await doors.rows(f"{doors.addresses.crm_ledger_url}/records")
    assert rows == [contact(1) | {"times": 2}, contact(2, "c-1") | {"times": 1}]


async def test_a_bad_record_refuses_its_batch(doors: Doors) -> None:
    await doors.fault(crm_refuse="bad-")

    refused, taken = (
        await doors.contacts("k-1", contact(1), contact(2, "bad-2")),
        await doors.contacts("k-2", contact(1)),
    )

    assert (refused.status_code, taken.status_code) == (422, 200)
    assert "bad-2" not in refused.text
    assert (await doors.counts(doors.addresses.crm_ledger_url))["records"] == 1


async def test_is_down_on_request(doors: Doors) -> None:
    await doors.fault(crm={"status": 503})
    assert (await doors.contacts("k", contact(1))).status_code == 503

    await doors.fault(crm=None, crm_seconds=0.001)

    assert (await doors.contacts("k", contact(1))).status_code == 200


@pytest.mark.parametrize("record", [{}, contact(1) | {"external_id": ""}, contact(1) | {"extra": 1}])
async def test_what_is_no_contact_is_refused(doors: Doors, record: dict[str, Any]) -> None:
    assert (await doors.contacts("k", record)).status_code == 422


async def test_a_batch_needs_a_key_and_a_record(doors: Doors) -> None:
    assert (await doors.contacts("", contact(1))).status_code == 400
    assert (await doors.contacts("k")).status_code == 422
