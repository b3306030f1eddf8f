from random import Random

import orjson
import pytest

from connectors.simulator.interactions.campaigns import Campaign
from connectors.simulator.interactions.frames import MALFORMED, Event, frame, iso

EVENT = Event("e-1", "campaign-001", 1_772_443_800_250, 100, 7)


def good() -> dict[str, object]:
    return frame(EVENT, Campaign("campaign-001", "One", 100, 10), Random(1))


def test_times_are_iso_with_milliseconds_in_utc() -> None:
    assert iso(1_772_443_800_250) == "2026-03-02T09:30:00.250Z"


@pytest.mark.parametrize("kind", MALFORMED)
def test_every_malformed_kind_differs_from_a_good_frame(kind: str) -> None:
    body = MALFORMED[kind](good())

    assert body != orjson.dumps(good())
    assert b"campaign-001" in body or "campaign" in kind


@pytest.mark.parametrize("kind", ["not json", "handle time is NaN", "handle time is infinite"])
def test_some_are_not_json_at_all(kind: str) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(MALFORMED[kind](good()))


def test_no_time_means_neither_place_has_one() -> None:
    body = orjson.loads(MALFORMED["no time"](good()))

    assert "timestamp" not in body
    assert "completionTime" not in body["payload"]
