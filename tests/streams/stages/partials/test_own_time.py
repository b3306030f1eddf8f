"""Event time of one partition."""

from streams.stages.partials.own_time import SILENT, OwnTime


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_time_is_that_of_the_latest_event() -> None:
    time = OwnTime(10_000, Clock())
    time.hear(500)
    time.hear(400)
    time.advance()

    assert (time.reached, time.log_time) == (500, 500)


def test_where_nothing_comes_the_clock_counts_for_what_is_final_and_much_later_for_what_is_kept() -> None:
    clock = Clock()
    time = OwnTime(10_000, clock)
    time.hear(500)
    clock.seconds += 9
    time.advance()
    assert time.reached == 500

    clock.seconds += 1
    time.advance()
    assert (time.reached, time.log_time) == (1_010_000, 500)

    clock.seconds += SILENT / 1000
    time.advance()
    assert time.log_time == time.reached == 1_010_000 + SILENT


def test_time_never_goes_back() -> None:
    time = OwnTime(10_000, Clock())
    time.restore({"reached": 700, "log_time": 600})
    time.hear(500)
    time.advance()

    assert time.stored() == {"reached": 700, "log_time": 600}
