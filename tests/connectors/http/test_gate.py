"""All wait while the gate is closed."""

from connectors.http.gate import Gate


class Time:
    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    async def pause(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


async def test_an_open_gate_lets_pass() -> None:
    time = Time()

    await Gate(time.pause, clock=lambda: time.now).passed()

    assert time.slept == []


async def test_the_longest_wait_counts() -> None:
    time = Time()
    gate = Gate(time.pause, clock=lambda: time.now)
    gate.close(7)
    gate.close(3)

    await gate.passed()
    await gate.passed()

    assert time.slept == [7]


async def test_waits_without_a_time_grow_until_all_is_well() -> None:
    time = Time()
    gate = Gate(time.pause, clock=lambda: time.now)
    for ceiling in (1, 2, 4, 8):
        before = time.now
        gate.close()
        await gate.passed()
        assert time.now - before <= ceiling
    gate.well()
    before = time.now
    gate.close()
    await gate.passed()
    assert time.now - before <= 1
