"""What endpoints are told of a change, and what answers mean. That calls survive kills: `streams.core.calls`."""

import json

import pytest

from schemas.avro import Codec
from schemas.records import DashboardChange
from schemas.releases import FileSchemaIds
from streams.core.calls.job import Done, Failed
from streams.core.contract import Refused
from streams.stages.forwarding.change import Telling, body, outcome, reader, settles

CHANGE = DashboardChange("d", "dashboard.updated", "Eve", '"7"', 1_795_250_400_123)
CODEC = Codec(FileSchemaIds())


def test_a_change_is_told_with_its_time_as_text() -> None:
    assert json.loads(body(CHANGE)) == {
        "dashboard_id": "d",
        "event_type": "dashboard.updated",
        "actor": "Eve",
        "etag": '"7"',
        "received_at": "2026-11-21T08:40:00.123Z",
    }


@pytest.mark.parametrize(("dashboard", "at"), [("", 0), ("d", -1), ("d", 2**60)])
def test_a_change_of_nothing_or_of_no_time_is_refused(dashboard: str, at: int) -> None:
    encoded = CODEC.encoder(DashboardChange)(DashboardChange(dashboard, "dashboard.updated", None, None, at))

    with pytest.raises(ValueError, match="a change has a dashboard"):
        reader(CODEC.decoder(DashboardChange))(encoded)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [(200, True), (204, True), *((again, None) for again in (302, 403, 404, 405, 408, 409, 425, 500, 503))]
    + [(never, False) for never in (400, 410, 413, 422)],
)
def test_what_a_status_means(status: int, meaning: bool | None) -> None:
    assert settles(status) is meaning


def test_a_change_is_settled_when_all_endpoints_are() -> None:
    telling = Telling(CHANGE, {0: None})
    assert outcome(telling, ["endpoint 2 did not answer"]) == Failed("endpoint 2 did not answer")

    telling.settled[1] = "422 no"
    refused = outcome(telling, [])
    assert isinstance(refused, Refused)
    assert refused.detail == "endpoint 2 of DASHBOARDS_FORWARD_URLS: 422 no"

    telling.settled[1] = None
    assert isinstance(outcome(telling, []), Done)
