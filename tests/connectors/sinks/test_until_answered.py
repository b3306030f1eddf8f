"""Waiting for a sink: for as long as it takes, and saying why."""

from collections.abc import Sequence
from itertools import chain, repeat

import pytest

from connectors.errors import Misconfigured, SinkError, Unavailable
from connectors.sinks.until_answered import until_answered


class Waiting:
    """A sink whose tries end as told; what was slept and what was said, in order."""

    def __init__(self, *endings: SinkError | str | None) -> None:
        self._endings = iter(endings)
        self.events: list[float | str] = []

    async def call(self) -> str | None:
        ending = next(self._endings)
        if isinstance(ending, SinkError):
            raise ending
        return ending

    async def sleep(self, seconds: float) -> None:
        self.events.append(seconds)

    async def answer(self, delays: Sequence[float] = (1.0, 2.0, 4.0)) -> str | None:
        endless = chain(delays, repeat(30.0))
        return await until_answered(self.call, delays=endless, sleep=self.sleep, on_state=self.events.append)


@pytest.mark.parametrize("answer", [None, "422 bad"])
async def test_an_answer_at_once_waits_for_nothing(answer: str | None) -> None:
    waiting = Waiting(answer)

    assert await waiting.answer() == answer
    assert waiting.events == ["ok"]


async def test_an_outage_is_waited_out_with_growing_delays() -> None:
    waiting = Waiting(*(Unavailable("no route"),) * 4, None)

    assert await waiting.answer() is None
    away = "unavailable: no route"
    assert waiting.events == [away, 1.0, away, 2.0, away, 4.0, away, 30.0, "ok"]


@pytest.mark.parametrize(("retry_after", "waited"), [(None, 2.0), (0.5, 2.0), (7.0, 7.0)])
async def test_a_longer_retry_after_goes_before_the_delay(retry_after: float | None, waited: float) -> None:
    waiting = Waiting(Unavailable("busy", retry_after=retry_after), None)

    await waiting.answer([2.0])

    assert waiting.events == ["unavailable: busy", waited, "ok"]


async def test_what_a_person_must_change_is_said_and_tried_again() -> None:
    waiting = Waiting(Misconfigured("check CRM_TOKEN"), Unavailable("restarting"), None)

    assert await waiting.answer() is None
    assert waiting.events == ["misconfigured: check CRM_TOKEN", 1.0, "unavailable: restarting", 2.0, "ok"]


async def test_a_long_outage_ends_nothing() -> None:
    waiting = Waiting(*(Unavailable("away"),) * 1000, None)

    assert await waiting.answer() is None
    assert len(waiting.events) == 2001


async def test_a_mistake_of_ours_is_not_waited_out() -> None:
    waiting = Waiting(SinkError("neither"))

    with pytest.raises(SinkError, match="neither"):
        await waiting.answer()
    assert waiting.events == []
