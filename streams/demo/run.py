"""Runs the system and shows it: for a while and then with a verdict, or until Ctrl-C."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
from rich.console import Console
from rich.live import Live

from streams.demo.board import Board
from streams.demo.judge import Verdict, judge, truth
from streams.demo.processes import ChildError
from streams.demo.report import findings, report
from streams.demo.screen import line, screen
from streams.demo.system import System, running

LOOK_SECONDS = 0.5
LINE_SECONDS = 5.0
DRAIN_SECONDS = 90.0
QUIET_LOOKS = 3  # in a row without lag: one may fall between two stages
SHOWN_MISMATCHES = 20
INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to run: `rate` new frames a second for `seconds` (None: until Ctrl-C), reported to the file `report`."""

    seconds: float | None
    rate: float
    speedup: float
    seed: int
    redelivered: float
    malformed: float
    report: Path | None

    def simulate(self) -> list[str]:
        """Return the simulator's options."""
        bound = [] if self.seconds is None else [f"--count={round(self.rate * self.seconds)}"]
        return [
            f"--rate={self.rate}",
            f"--speedup={self.speedup}",
            f"--seed={self.seed}",
            f"--redelivered={self.redelivered}",
            f"--malformed={self.malformed}",
            *bound,
        ]


async def run(options: Options, console: Console, folder: Path) -> int:
    """Run until the end or a signal; return the exit code: 0 as it should be, 1 a mismatch or a part that failed."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    began = time.monotonic()
    board = Board()
    verdict: Verdict | None = None
    console.print("Starting Kafka, the simulator, the stages and the connector ...")
    try:
        async with running(options.simulate(), folder) as system, httpx.AsyncClient(timeout=60) as http:
            console.print(f"Ready after {time.monotonic() - began:.1f} s; logs in {folder}", highlight=False)
            drained = False
            with _shown(board, console) as show:
                async for drained in _follow(system, board, http, options.seconds, stop):
                    show()
                    if drained and options.seconds is not None:
                        break
            if options.seconds is not None and not stop.is_set():
                if not drained:
                    console.print(f"Not drained {DRAIN_SECONDS:g} s after the last frame.", style="red")
                verdict = await _verdict(system, http)
    except ChildError as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        return 1
    console.print(line(board), highlight=False, soft_wrap=True)
    if verdict is None:
        return 0 if options.seconds is None else INTERRUPTED
    return _conclude(verdict, board, options, console)


async def _follow(
    system: System, board: Board, http: httpx.AsyncClient, seconds: float | None, stop: asyncio.Event
) -> AsyncIterator[bool]:
    """Look, and yield after every look whether everything is drained; end with a signal or after the deadline."""
    deadline = float("inf") if seconds is None else time.monotonic() + seconds + DRAIN_SECONDS
    quiet = 0
    while not stop.is_set() and time.monotonic() < deadline:
        await asyncio.to_thread(system.watch.read, board, LOOK_SECONDS)
        ledger = (await http.get(system.addresses.ledger_url)).json()
        board.measure(ledger, await asyncio.to_thread(system.watch.lag), time.monotonic())
        system.check()
        quiet = quiet + 1 if board.drained() else 0
        yield quiet >= QUIET_LOOKS


@contextmanager
def _shown(board: Board, console: Console) -> Iterator[Callable[[], None]]:
    """Give a function that shows the board: as a live table, or now and then as a line where there is no terminal."""
    shown_at = 0.0

    def print_line() -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at >= LINE_SECONDS:
            shown_at = time.monotonic()
            console.print(line(board), highlight=False, soft_wrap=True)

    if not console.is_terminal:
        yield print_line
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda: live.update(screen(board, console.height), refresh=True)


async def _verdict(system: System, http: httpx.AsyncClient) -> Verdict:
    events = (await http.get(system.addresses.truth_url)).content.splitlines()
    points = (await http.get(system.addresses.points_url)).json()
    return await asyncio.to_thread(lambda: judge(truth(map(orjson.loads, events)), points))


def _conclude(verdict: Verdict, board: Board, options: Options, console: Console) -> int:
    found = findings(verdict, board)
    if options.report is not None:
        options.report.write_bytes(orjson.dumps(report(verdict, board), option=orjson.OPT_INDENT_2) + b"\n")
    for sentence in found[:SHOWN_MISMATCHES]:
        console.print(sentence, style="red", markup=False, soft_wrap=True)
    console.print(
        f"{verdict.windows_checked} windows checked against a batch computation over {board.ledger['events_sent']:,}"
        f" events: {len(found)} mismatches. {board.ledger['events_redelivered']:,} redeliveries were dropped,"
        f" {board.dead_letters.total():,} records are dead letters.",
        style="red" if found else "green",
        highlight=False,
        soft_wrap=True,
    )
    return 1 if found else 0
