"""What counts as a time or a duration, and which one it is."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.frame_fields import DurationForm
from streams.core.times import END_OF_TIME, duration_reader, iso, milliseconds, seconds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-21T09:00:00Z", 1_795_251_600_000),
        ("2026-11-21T09:00:00.123z", 1_795_251_600_123),
        ("2026-11-21t09:00:00z", 1_795_251_600_000),
        ("z", None),
        ("2026-11-21T09:00:00", 1_795_251_600_000),
        ("2026-11-21T09:00:00.123456Z", 1_795_251_600_123),
        ("2026-11-21T14:30:00+05:30", 1_795_251_600_000),
        ("20261121T090000Z", 1_795_251_600_000),
        (1_795_251_600, 1_795_251_600_000),
        (1_795_251_600.5, 1_795_251_600_500),
        (1_795_251_600_000, 1_795_251_600_000),
        ("1795251600", None),
        ("", None),
        ("9999-12-31T23:59:59-23:59", 253_402_387_139_000),
        (None, None),
        (True, None),
        (-1, None),
        (float("nan"), None),
        (10**400, None),
        ([], None),
    ],
)
def test_times_are_iso_text_or_numbers_since_the_epoch(value: object, expected: int | None) -> None:
    assert milliseconds(value) == expected


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - Hypothesis adds the zone
def test_a_time_is_read_the_same_as_text_seconds_and_milliseconds(at: datetime) -> None:
    at = at.replace(microsecond=0)
    expected = int(at.timestamp()) * 1000

    assert milliseconds(at.isoformat()) == expected
    assert milliseconds(expected // 1000) == expected
    assert milliseconds(expected) == expected


@pytest.mark.parametrize("value", [-1, -0.5, float("nan"), float("inf"), True, "1", None, [], 10**400])
def test_what_is_no_duration_is_none(value: object) -> None:
    assert seconds(value) is None


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        (DurationForm.SECONDS, 277, 277.0),
        (DurationForm.SECONDS, "277", None),
        (DurationForm.TEXT, "277", 277.0),
        (DurationForm.TEXT, "0.5", 0.5),
        (DurationForm.TEXT, 277, None),
        *((DurationForm.TEXT, text, None) for text in ("", " 277", "1e3", "1_0", "-1", "inf", "٣", "7" * 33)),
        (DurationForm.ISO8601, "PT7M15.643S", 435.643),
        (DurationForm.ISO8601, "PT0S", 0.0),
        (DurationForm.ISO8601, "PT1,5S", 1.5),
        (DurationForm.ISO8601, "P1W2DT3H4M", 788_640.0),
        *((DurationForm.ISO8601, text, None) for text in ("P", "PT", "P1DT", "PT5", "P1M", "P1Y", "-PT5S", "PT-5S")),
        (DurationForm.ISO8601, 277, None),
        *((DurationForm.ISO8601, text, None) for text in ("277", "", "PT" + "1" * 40 + "S")),
    ],
)
def test_a_duration_has_the_form_that_the_dialect_says(
    form: DurationForm, value: object, expected: float | None
) -> None:
    assert duration_reader(form)(value) == expected


@given(st.sampled_from(DurationForm), st.integers(0, 10**9).map(lambda ms: ms / 1000))
def test_one_duration_is_the_same_in_every_form(form: DurationForm, value: float) -> None:
    minutes, rest = divmod(value, 60)
    written = {
        DurationForm.SECONDS: value,
        DurationForm.TEXT: f"{value:.3f}",
        DurationForm.ISO8601: f"PT{minutes:.0f}M{rest:.3f}S",
    }

    assert duration_reader(form)(written[form]) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("ms", "text", "finer"),
    [
        (0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
        (1_795_251_600_999, "2026-11-21T09:00:00Z", "2026-11-21T09:00:00.999Z"),
        (END_OF_TIME - 1, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_time_is_written_as_iso_8601_and_read_again(ms: int, text: str, finer: str) -> None:
    assert (iso(ms), iso(ms, "milliseconds")) == (text, finer)
    assert milliseconds(finer) == ms
