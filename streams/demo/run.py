"""Runs the system and shows it: for a while and then with a verdict, or until Ctrl-C."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
from rich.console import Console
from rich.live import Live

from connectors.redaction import escaped
from connectors.simulator.inference.endpoints import score_of
from streams.demo import callers, trail
from streams.demo.board import Board
from streams.demo.judges import actions as action_judge
from streams.demo.judges import dashboards as dashboard_judge
from streams.demo.judges import guests as guest_judge
from streams.demo.judges import minutes as minute_judge
from streams.demo.judges.guests import Ledgers
from streams.demo.judges.hours import judge, truth
from streams.demo.processes import ChildError
from streams.demo.report import Verdicts, findings, report
from streams.demo.screen import action_line, guest_line, line, minute_line, screen
from streams.demo.system import System, running

HOUR_SECONDS = 3600
LOOK_SECONDS = 0.5
LINE_SECONDS = 5.0
DRAIN_SECONDS = 90.0
BEGIN_SECONDS = 30.0  # in which guests have to begin: on a busy machine their program loads for some
QUIET_LOOKS = 3  # in a row without lag: one may fall between two stages
SHOWN_MISMATCHES = 20
INTERRUPTED = 130
GUESTS, BOTS, MESSAGES_PER_SECOND = 60, 2, 8  # a bot writes two a second, the others a message in 14 s
EVENTS_PER_SECOND = 20  # of analytics; half an hour of them passes in half a minute, with a wave in ten minutes
ANALYTICS = (
    f"--analytics-rate={EVENTS_PER_SECOND}",
    "--analytics-history=1800",
    "--analytics-speedup=60",
    "--analytics-wave=600",
)
ALERT_LOOKS = 20  # in which alerts of minutes that have just become final come
ALWAYS = 1e9  # seconds: guests write until they are told to stop
FAULTS = {
    "messages_redelivered": 0.05,
    "messages_malformed": 0.01,
    "routing_500": 0.2,
    "routing_429": 0.02,
    "routing_retry_after": 1,
    "inference_500": 0.05,
    "inference_seconds": 0.01,
    "dashboards_edit_fields": ["refreshInterval", "yAxisLabel", "note"],
    "dashboards_500": 0.05,
    "dashboards_lost": 0.05,
}
WAITING = "cxone_routing_waiting "  # the metric's name in the worker's answer


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
        bound = []
        if self.seconds is not None:
            number, events = round(self.rate * self.seconds), max(1, round(EVENTS_PER_SECOND * self.seconds))
            bound = [f"--count={number}", f"--analytics-count={events}"]
        return [
            f"--rate={self.rate}",
            f"--speedup={self.speedup}",
            f"--seed={self.seed}",
            f"--redelivered={self.redelivered}",
            f"--malformed={self.malformed}",
            *ANALYTICS,
            f"--faults={orjson.dumps(FAULTS).decode()}",
            *bound,
        ]

    def crowd(self) -> list[str]:
        """Return the guests' options."""
        return [
            f"--count={GUESTS}",
            f"--bots={BOTS}",
            f"--rate={MESSAGES_PER_SECOND}",
            f"--seconds={ALWAYS}",
            f"--seed={self.seed}",
        ]


async def run(options: Options, console: Console, folder: Path) -> int:
    """Run until the end or a signal; return the exit code: 0 as it should be, 1 a mismatch or a part that failed."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    began = time.monotonic()
    board = Board()
    verdicts: Verdicts | None = None
    console.print("Starting Kafka, the simulator, the stages and the connectors ...")
    try:
        async with (
            running(options.simulate(), options.crowd(), callers.options(options.seed), folder) as system,
            httpx.AsyncClient(timeout=60, trust_env=False) as http,  # it speaks with this machine only
        ):
            console.print(f"Ready after {time.monotonic() - began:.1f} s; logs in {folder}", highlight=False)
            console.print(
                f"Event time begins a day ago and runs {options.speedup:g} times as fast as the clock until it reaches"
                f" now: an hour passes in {HOUR_SECONDS / options.speedup:.1f} s. Ctrl-C stops the demo.",
                highlight=False,
                soft_wrap=True,
            )
            drained = False
            with _shown(board, console) as show:
                async for drained in _follow(system, board, http, options.seconds, stop):
                    show()
                    if drained and options.seconds is not None:
                        break
            if options.seconds is not None and not stop.is_set():
                if not drained:
                    console.print(f"Not drained {DRAIN_SECONDS:g} s after the last frame.", style="red")
                verdicts = await _verdicts(system, board, http)
    except ChildError as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        return 1
    _print_lines(board, console)
    if verdicts is None:
        return 0 if options.seconds is None else INTERRUPTED
    return _conclude(verdicts, board, options, console)


async def _follow(
    system: System, board: Board, http: httpx.AsyncClient, seconds: float | None, stop: asyncio.Event
) -> AsyncIterator[bool]:
    """Look, and yield after every look whether everything is drained; end with a signal or after the deadline.

    Guests write and CXone calls for `seconds` from the first message on; what waits for a retry then is waited for.
    """
    begun, end = time.monotonic(), float("inf")
    quiet, writing = 0, True
    while not stop.is_set() and time.monotonic() < end + DRAIN_SECONDS:
        if writing and time.monotonic() >= end:
            await system.end_traffic()
            await http.post(system.addresses.faults_url, json={"dashboards_edits": 0})
            writing = False
        await asyncio.to_thread(system.watch.read, board, LOOK_SECONDS)
        try:
            await _look(system, board, http)
        except httpx.TransportError:
            await asyncio.sleep(LOOK_SECONDS)  # whoever does not answer has died, as it soon turns out
            system.check()
            raise
        system.check()
        came = (
            board.guests.sent > 0 and board.actions.counts["called"] > 0
        ) or time.monotonic() - begun > BEGIN_SECONDS
        if seconds is not None and end == float("inf") and came:
            end = time.monotonic() + seconds
        quiet = quiet + 1 if not writing and board.drained() else 0
        yield quiet >= QUIET_LOOKS


async def _look(system: System, board: Board, http: httpx.AsyncClient) -> None:
    places, guests = system.addresses, board.guests
    ledger = (await http.get(places.ledger_url)).json()
    guests.said = (await http.get(places.messages_ledger_url)).json()
    board.minutes.ledger = (await http.get(places.analytics_ledger_url)).json()
    guests.contacts = (await http.get(places.crm_ledger_url)).json()
    metrics = (await http.get(system.metrics_url, params={"name[]": WAITING.strip()})).text.splitlines()
    guests.waiting = next(int(float(row.removeprefix(WAITING))) for row in metrics if row.startswith(WAITING))
    board.actions.called(system.calls.new())
    board.actions.measured((await http.get(system.door_metrics_url)).text.splitlines())
    board.dashboards = system.keeper.kept
    board.measure(ledger, await asyncio.to_thread(system.watch.lag), time.monotonic())


def _print_lines(board: Board, console: Console) -> None:
    for text in (line(board), guest_line(board), minute_line(board), board.dashboards.line(), action_line(board)):
        console.print(escaped(text), highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _shown(board: Board, console: Console) -> Iterator[Callable[[], None]]:
    """Give a function that shows the board: as a live table, or now and then as a line where there is no terminal."""
    shown_at = 0.0

    def print_line() -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at >= LINE_SECONDS:
            shown_at = time.monotonic()
            _print_lines(board, console)

    if not console.is_terminal:
        yield print_line
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda: live.update(screen(board, console.height), refresh=True)


async def _verdicts(system: System, board: Board, http: httpx.AsyncClient) -> Verdicts:
    places = system.addresses

    async def rows(url: str) -> list[dict[str, Any]]:
        return [orjson.loads(row) for row in (await http.get(url)).content.splitlines()]

    events = await rows(places.truth_url)
    points = (await http.get(places.points_url)).json()
    ledgers = Ledgers(
        said=await rows(f"{places.messages_ledger_url}/all"),
        keys=await rows(f"{places.routing_ledger_url}/keys"),
        contacts=await rows(f"{places.crm_ledger_url}/records"),
        repeats=(await http.get(places.routing_ledger_url)).json()["repeats"],
    )
    expected, seen = minute_judge.truth(await rows(f"{places.analytics_ledger_url}/events")), board.minutes
    for _ in range(ALERT_LOOKS):
        told = await rows(f"{places.alerts_ledger_url}/all")
        minutes = minute_judge.judge(expected, seen.rows, seen.alerts.values(), told)
        if not minutes.mismatches:
            break
        await asyncio.to_thread(system.watch.read, board, LOOK_SECONDS)
    places_of = places.dashboards_ledger_url
    ledger = dashboard_judge.Ledger(*[await rows(f"{places_of}/{kind}") for kind in ("writes", "edits", "documents")])
    kept = system.keeper.kept
    return await asyncio.to_thread(
        lambda: Verdicts(
            judge(truth(events), points),
            guest_judge.judge(board.guests, ledgers),
            minutes,
            dashboard_judge.judge(kept, ledger, trail.entries(system.audit), trail.verified(system.audit)),
            action_judge.judge(board.actions, score_of),
        )
    )


def _conclude(verdicts: Verdicts, board: Board, options: Options, console: Console) -> int:
    found = findings(verdicts, board)
    if options.report is not None:
        told = report(verdicts, board)
        options.report.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    for sentence in found[:SHOWN_MISMATCHES]:
        console.print(escaped(sentence), style="red", markup=False, soft_wrap=True)
    hours, _, minutes, kept, actions = verdicts
    redelivered = board.ledger["events_redelivered"] + board.guests.said["redelivered"] + board.actions.counts["again"]
    dead = sum(each.dead_letters.total() for each in (board, board.guests, board.actions))
    console.print(
        f"{hours.windows_checked} windows checked against a batch computation over {board.ledger['events_sent']:,}"
        f" events, the fates of {board.guests.sent:,} guests' messages, {minutes.rows_checked} rows of minutes,"
        f" {minutes.alerts_checked} alerts, {actions.checked:,} webhooks, and {kept.writes:,} writes of dashboards"
        f" beside {kept.edits:,} edits of others: {len(found)} mismatches."
        f" {redelivered:,} redeliveries were dropped, {dead:,} records are dead letters.",
        style="red" if found else "green",
        highlight=False,
        soft_wrap=True,
    )
    return 1 if found else 0
