import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from streams.runtime.errors import TooManyRefusedError
from streams.runtime.refusal_limit import SAMPLE, SILENCE, RefusalLimit


def counted(of: str) -> tuple[float | None, ...]:
    names = "cxone_handled_records_total", "cxone_refused_records_total"
    return tuple(REGISTRY.get_sample_value(name, {"of": of}) for name in names)


def test_when_all_is_refused_from_the_start_a_stage_stops_and_says_what_to_look_at() -> None:
    limit = RefusalLimit(0.5, "test")
    limit.note(SAMPLE - 1, SAMPLE - 1)

    with pytest.raises(TooManyRefusedError, match=r"all of the first 1001 .*dead letters.*STREAMS_DEAD_LETTER_SHARE"):
        limit.note(2, 2)


def test_whoever_may_write_much_that_is_unreadable_stops_nothing_and_is_told_of_once_in_a_while() -> None:
    times = [1000.0]
    limit = RefusalLimit(0.5, "test", now=lambda: times[-1])

    with capture_logs() as logs:
        for _ in range(5):  # three of five in each of many lives, and then all
            limit.note(SAMPLE, 600)
        limit.note(SAMPLE, SAMPLE)
        assert [(line["log_level"], line["refused"], line["of"]) for line in logs] == [("error", 600, 1000)]
        times.append(1000.0 + SILENCE)
        limit.note(SAMPLE, 501)
        limit.note(SAMPLE, 501)

    assert [line["refused"] for line in logs] == [600, 501]


def test_one_record_that_is_taken_says_that_the_settings_are_right() -> None:
    limit = RefusalLimit(0.5, "test")
    limit.note(1, 0)

    for _ in range(3):
        limit.note(SAMPLE, SAMPLE)


def test_a_share_at_the_limit_is_no_alarm() -> None:
    with capture_logs() as logs:
        RefusalLimit(0.5, "test").note(SAMPLE, SAMPLE // 2)

    assert logs == []


def test_what_is_handled_and_refused_is_counted_from_0_however_few_they_are() -> None:
    limit = RefusalLimit(0.5, "counted")
    assert counted("counted") == (0, 0)

    limit.note(7, 0)
    limit.note(3, 2)

    assert counted("counted") == (10, 2)


def test_few_records_say_nothing() -> None:
    RefusalLimit(0.5, "test").note(SAMPLE - 1, SAMPLE - 1)


def test_a_limit_of_one_never_stops_and_raises_no_alarm() -> None:
    with capture_logs() as logs:
        RefusalLimit(1.0, "test").note(10 * SAMPLE, 10 * SAMPLE)

    assert logs == []
