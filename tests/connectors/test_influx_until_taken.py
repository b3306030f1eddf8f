"""Waiting for InfluxDB: for as long as it takes, and saying why."""

from collections.abc import Sequence
from itertools import chain, repeat

import pytest

from connectors.errors import Misconfigured, SinkError, Unavailable
from connectors.influx import Refusal, write_until_taken

LINES = ["m v=1 1", "m v=2 2"]


class Scripted:
    """A writer whose tries end as told."""

    def __init__(self, *endings: SinkError | list[Refusal]) -> None:
        self._endings = iter(endings)
        self.written: list[Sequence[str]] = []

    async def write(self, lines: Sequence[str]) -> list[Refusal]:
        self.written.append(lines)
        ending = next(self._endings)
        if isinstance(ending, SinkError):
            raise ending
        return ending


class Waiting:
    """What was slept and what was said, in order."""

    def __init__(self) -> None:
        self.events: list[float | str] = []

    async def sleep(self, seconds: float) -> None:
        self.events.append(seconds)

    async def write(self, writer: Scripted, delays: Sequence[float] = (1.0, 2.0, 4.0)) -> list[Refusal]:
        endless = chain(delays, repeat(30.0))
        return await write_until_taken(writer, LINES, delays=endless, sleep=self.sleep, on_state=self.events.append)


async def test_lines_taken_at_once_wait_for_nothing() -> None:
    waiting, writer = Waiting(), Scripted([])

    assert await waiting.write(writer) == []
    assert waiting.events == ["ok"]
    assert writer.written == [LINES]


async def test_refusals_are_returned() -> None:
    assert await Waiting().write(Scripted([Refusal(1, "invalid number")])) == [Refusal(1, "invalid number")]


async def test_an_outage_is_waited_out_with_growing_delays() -> None:
    waiting, writer = Waiting(), Scripted(*(Unavailable("no route"),) * 4, [])

    assert await waiting.write(writer) == []
    away = "unavailable: no route"
    assert waiting.events == [away, 1.0, away, 2.0, away, 4.0, away, 30.0, "ok"]
    assert writer.written == [LINES] * 5


async def test_a_long_outage_ends_nothing() -> None:
    writer = Scripted(*(Unavailable("away"),) * 1000, [])

    assert await Waiting().write(writer) == []
    assert len(writer.written) == 1001


@pytest.mark.parametrize(("retry_after", "waited"), [(None, 2.0), (0.5, 2.0), (7.0, 7.0)])
async def test_a_longer_retry_after_goes_before_the_delay(retry_after: float | None, waited: float) -> None:
    waiting = Waiting()

    await waiting.write(Scripted(Unavailable("busy", retry_after=retry_after), []), delays=[2.0])

    assert waiting.events == ["unavailable: busy", waited, "ok"]


async def test_what_a_person_must_change_is_said_and_tried_again() -> None:
    waiting = Waiting()

    assert await waiting.write(Scripted(Misconfigured("check INFLUX_TOKEN"), Unavailable("restarting"), [])) == []
    assert waiting.events == ["misconfigured: check INFLUX_TOKEN", 1.0, "unavailable: restarting", 2.0, "ok"]


async def test_a_mistake_of_ours_is_not_waited_out() -> None:
    waiting = Waiting()

    with pytest.raises(SinkError, match="neither"):
        await waiting.write(Scripted(SinkError("neither"), []))
    assert waiting.events == []
