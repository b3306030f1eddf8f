import pytest
from pydantic import ValidationError

from connectors.simulator.faults import FaultBox, Faults


def test_a_counted_refusal_wears_off() -> None:
    box = FaultBox(Faults.model_validate({"token": {"status": 429, "retry_after": "3", "times": 2}}))

    taken = [box.take("token") for _ in range(3)]

    assert [refusal and refusal.status for refusal in taken] == [429, 429, None]


def test_an_uncounted_refusal_lasts_until_it_is_ended() -> None:
    box = FaultBox(Faults.model_validate({"influx": {"status": 500}}))
    assert all(box.take("influx") for _ in range(10))

    box.change(Faults.model_validate({"influx": None}))

    assert box.take("influx") is None


def test_a_change_leaves_what_it_does_not_name() -> None:
    box = FaultBox(Faults(expires_in=5))

    box.change(Faults(influx_seconds=1.5))

    assert (box.now.expires_in, box.now.influx_seconds) == (5, 1.5)


def test_a_misspelt_fault_is_refused() -> None:
    with pytest.raises(ValidationError, match="influx_second"):
        Faults.model_validate({"influx_second": 1})
