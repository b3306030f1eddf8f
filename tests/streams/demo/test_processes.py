from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from streams.demo.processes import Child, ChildError, inherited

ROOT = {"PYTHONPATH": str(Path(__file__).parents[3])}


def test_children_inherit_none_of_our_settings_but_what_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"CXONE_CLIENT_ID": "real", "KAFKA_BOOTSTRAP_SERVERS": "real:9092", "CXONE_STREAMS_NO_EXTENSIONS": "1"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    assert given.keys() & inherited().keys() == {"CXONE_STREAMS_NO_EXTENSIONS"}


@pytest.fixture(name="simulator")
async def _simulator(tmp_path: Path) -> AsyncIterator[Child]:
    child = await Child.start("simulator", ["simulate", "--rate=1"], ROOT, tmp_path)
    yield child
    await child.stop(30)


async def test_a_child_tells_when_it_is_ready_and_stops_when_told(simulator: Child) -> None:
    addresses = await simulator.ready(120)

    async with httpx.AsyncClient() as http:
        assert (await http.get(addresses["ledger_url"])).json()["finished"] is False
    simulator.check()


async def test_a_child_that_dies_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = await Child.start("worker", ["worker", "nonsense"], ROOT, tmp_path)

    with pytest.raises(ChildError, match=r"(?s)worker died \(exit code 2\)\. The end of .*nonsense"):
        await child.ready(120)
    with pytest.raises(ChildError, match="exit code 2"):
        await child.stop(30)


async def test_a_child_that_is_never_ready_is_reported(simulator: Child) -> None:
    with pytest.raises(ChildError, match=r"simulator was not ready after 0 s"):
        await simulator.ready(0)


async def test_a_child_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    child = await Child.start("simulator", ["simulate", "--rate=1"], ROOT, tmp_path)
    await child.ready(120)

    with pytest.raises(ChildError, match="did not stop within 0 s and was killed"):
        await child.stop(0)


async def test_our_settings_do_not_reach_a_child(tmp_path: Path) -> None:
    """A `.env` of the shell's folder can't: children run in a folder of their own."""
    (tmp_path / ".env").write_text("")
    child = await Child.start("connector", ["connect", "interactions"], ROOT, tmp_path)

    with pytest.raises(ChildError, match="CXONE_CLIENT_ID: is not set"):
        await child.ready(120)
