"""`cxone-streams guests` as a person meets it."""

import asyncio
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from pathlib import Path

import httpx
import orjson
import pytest

from connectors.simulator.interactions.traffic import Plan
from connectors.simulator.server import Simulation, serve

ROOT = Path(__file__).parents[3]


async def guests(*options: str) -> Process:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "streams", "guests", *options]
    return await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def test_reports_what_was_sent() -> None:
    async with serve(Simulation(plan=Plan(number=0))) as addresses:
        process = await guests(
            *("--count", "5", "--rate", "200", "--bots", "1", "--seconds", "1"),
            *("--url", addresses.guests_url, "--json"),
        )
        out, err = await process.communicate()

    report = orjson.loads(out)
    assert process.returncode == 0
    assert report["guests"] == 5
    assert report["sent"] == report["people"] + report["bots"] > 10
    assert report["cut_off"] == 0
    assert err == b""


async def test_ctrl_c_ends_it_with_a_report() -> None:
    async with serve(Simulation(plan=Plan(number=0))) as addresses, httpx.AsyncClient() as http:
        process = await guests("--count", "5", "--rate", "200", "--bots", "0", "--url", addresses.guests_url, "--json")
        while not (await http.get(addresses.messages_ledger_url)).json()["waiting"]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()

    assert process.returncode == 0
    assert orjson.loads(out)["people"] > 0
    assert err == b""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--rate", "5", "--bots", "9"), "the rate must be higher"),
        (("--url", "ws://chat.example/webchat/v1/guest"), "must be a simulator on this machine"),
        (("--url", "https://127.0.0.1/"), "must be a simulator on this machine"),
    ],
)
async def test_options_that_make_no_sense_are_named(options: tuple[str, ...], words: str) -> None:
    process = await guests(*options)
    _, err = await process.communicate()

    assert process.returncode == 2
    assert words in err.decode()
    assert "Traceback" not in err.decode()


async def test_without_a_simulator_it_says_so() -> None:
    process = await guests("--url", "ws://127.0.0.1:9/webchat/v1/guest", "--count", "1", "--bots", "0")
    _, err = await process.communicate()

    assert process.returncode == 1
    assert "Is `cxone-streams simulate` running there?" in err.decode()
