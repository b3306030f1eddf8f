"""`make alerts`: every alert of deploy/prometheus fires in its fault and ends after it, on a running system.

A real Kafka, Prometheus, Alertmanager, connectors and workers, and the simulator; durations of rules and scrapes are
divided by `--factor`. First nothing may fire; then faults are made, side by side where they do not disturb each other.
Prints a table: the rule, the fault, the seconds until it fired, and until it ended when the fault had. Exit status 1
when a rule did not fire, did not end, or fired without a fault.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from tests.alerts.faults import LANES, Case, Wanted
from tests.alerts.monitoring import ALERTMANAGER, LOOK, PRODUCT, PROMETHEUS, Episode
from tests.alerts.system import System, running

SETTLES, QUIET, PATIENCE = 90.0, 75.0, 150.0  # seconds; the last two for durations divided by 10
HOLDS = 10.0  # seconds that a fault lasts on when its alerts have fired, and that these must fire on
IN_NAMESPACE = "ALERTS_IN_A_MOUNT_NAMESPACE"


@dataclass
class Shown:
    """What became of one rule. Seconds from the fault to the alert, and from the mending to its end; None: never."""

    rule: str
    fault: str
    fired: float | None = None
    ended: float | None = None


class Run:
    """One run over the system. `wrong` has a sentence for everything that is not as it must be."""

    def __init__(self, system: System, factor: float) -> None:
        self._system, self._factor, self._began = system, factor, time.monotonic()
        self.shown: list[Shown] = []
        self.wrong: list[str] = []

    def quiet(self) -> None:
        """Wait until all is calm, and note what fires after that without a fault."""
        watched, calm_since, deadline = self._system.prometheus, time.monotonic(), time.monotonic() + SETTLES
        while time.monotonic() < deadline and time.monotonic() - calm_since < SETTLES / 6:
            if watched.firing() or watched.pending:
                calm_since = time.monotonic()
            time.sleep(LOOK)
        self.say(f"settled; firing: {_all(watched.firing())}; about to: {_all(watched.pending)}")
        before = len(watched.episodes)
        time.sleep(QUIET * 10 / self._factor)
        self._system.check()
        fired = [*watched.episodes[before:], *watched.firing()]
        self.wrong += [f"{each} fired while nothing was wrong" for each in fired]
        self.say(f"a quiet phase of {QUIET * 10 / self._factor:.0f} s; fired in it: {_all(fired)}")

    def faults(self, lanes: Sequence[Sequence[Case]]) -> None:
        """Go through all lanes side by side."""
        threads = [threading.Thread(target=self._lane, args=(lane,), daemon=True) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def after(self) -> None:
        """Wait until nothing fires any more."""
        watched, deadline = self._system.prometheus, time.monotonic() + PATIENCE
        while (watched.firing() or watched.open_there) and time.monotonic() < deadline:
            time.sleep(LOOK)
        fired = {each.rule for each in watched.episodes}
        self.wrong += [f"Alertmanager was not told of {rule}" for rule in sorted(fired - watched.arrived)]
        self.wrong += [f"at Alertmanager {rule} is not over" for rule in sorted(watched.open_there)]
        self.wrong += [f"{each} fires on after everything was mended" for each in watched.firing()]
        self.say(f"all is mended; still firing: {_all(watched.firing())}; fired in this run: {_all(watched.episodes)}")

    def say(self, words: str) -> None:
        sys.stderr.write(f"{time.monotonic() - self._began:4.0f} s  {words}\n")
        sys.stderr.flush()

    def _lane(self, lane: Sequence[Case]) -> None:
        for case in lane:
            try:
                self._case(case)
            except Exception as failure:  # noqa: BLE001 - the other lanes go on
                self.wrong.append(f"{case.words}: {type(failure).__name__}: {failure}")
                self.say(self.wrong[-1])

    def _case(self, case: Case) -> None:
        outcomes = [(wanted, Shown(wanted.rule, case.words)) for wanted in case.wanted]
        self.shown += [outcome for _, outcome in outcomes]
        for wanted in case.wanted:
            if not self._over(wanted):
                self.wrong.append(f"{wanted.rule} fired before its fault: {case.words}")
        self.say(f"fault: {case.words}")
        began = time.monotonic()
        with case.fault(self._system):
            self._wait(lambda: all(self._since(began, wanted) for wanted in case.wanted))
            time.sleep(HOLDS)
            for wanted in case.wanted:
                if any(each.ended for each in self._since(began, wanted)):
                    self.wrong.append(f"{wanted.rule} ended while its fault lasted: {case.words}")
            mended = time.monotonic()
            self.say(f"mended: {case.words}")
        for wanted, outcome in outcomes:
            episodes = self._since(began, wanted)
            if not episodes:
                self.wrong.append(f"{wanted.rule} did not fire: {case.words}")
                continue
            outcome.fired = episodes[0].fired - began
            self.say(f"{episodes[0]} fired after {outcome.fired:.1f} s")
            if not self._over(wanted):
                self.wrong.append(f"{wanted.rule} did not end: {case.words}")
                continue
            last = max(each.ended or 0.0 for each in self._since(began, wanted))
            outcome.ended = max(0.0, last - mended)
            self.say(f"{episodes[0]} ended after {outcome.ended:.1f} s")

    def _since(self, began: float, wanted: Wanted) -> list[Episode]:
        episodes = self._system.prometheus.episodes
        return [each for each in episodes if each.fired >= began and each.is_of(wanted.rule, wanted.labels)]

    def _over(self, wanted: Wanted) -> bool:
        """Wait until an alert does not fire."""
        firing = self._system.prometheus.firing
        return self._wait(lambda: not any(each.is_of(wanted.rule, wanted.labels) for each in firing()))

    def _wait(self, true: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + PATIENCE * 10 / self._factor
        while not true():
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK)
        return True


def _all(things: Iterable[object]) -> str:
    return ", ".join(sorted({str(each) for each in things})) or "none"


def table(rows: Sequence[Shown]) -> str:
    def seconds(value: float | None) -> str:
        return "never" if value is None else f"{value:.0f} s"

    lines = [f"| {row.rule} | {row.fault} | {seconds(row.fired)} | {seconds(row.ended)} |" for row in rows]
    return "\n".join(["| alert | fault | fired after | ended after |", "|---|---|---|---|", *lines])


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    given.add_argument("--factor", type=float, default=10.0, help="what durations of rules and scrapes are divided by")
    given.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given.add_argument("--only", default="", help="rules whose faults are made, separated by commas; all by default")
    options = given.parse_args()
    if IN_NAMESPACE not in os.environ:  # a small disk is mounted, and gone with us
        root = ("-m",) if os.geteuid() == 0 else ("-rm",)
        os.environ[IN_NAMESPACE] = "1"
        for needed in ("unshare", PROMETHEUS, ALERTMANAGER):
            if shutil.which(needed) is None:
                sys.exit(
                    f"{needed} is needed: on Debian, apt-get install util-linux prometheus prometheus-alertmanager"
                )
        os.execvp("unshare", ["unshare", *root, sys.executable, "-m", "tests.alerts", *sys.argv[1:]])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # processes of ours end with us
    groups = yaml.safe_load((PRODUCT / "rules.yml").read_text())["groups"]
    rules = [rule["alert"] for group in groups for rule in group["rules"]]
    only = set(filter(None, options.only.split(",")))
    if unknown := only.difference(rules):
        given.error(f"no such rule: {', '.join(sorted(unknown))}")
    lanes = [[case for case in lane if not only or only & {wanted.rule for wanted in case.wanted}] for lane in LANES]
    folder = Path(tempfile.mkdtemp(prefix="alerts-"))
    sys.stderr.write(f"logs in {folder}\n")
    with running(folder, options.factor) as system:
        run = Run(system, options.factor)
        run.say("everything is ready")
        run.quiet()
        run.faults(lanes)
        run.after()
    if not only:
        run.wrong += [f"{rule} has no fault" for rule in rules if rule not in {row.rule for row in run.shown}]
    rows = sorted(run.shown, key=lambda row: rules.index(row.rule))
    if options.json:
        print(json.dumps({"factor": options.factor, "alerts": [asdict(row) for row in rows], "wrong": run.wrong}))  # noqa: T201
    else:
        print(f"durations of rules and scrapes divided by {options.factor:g}\n\n{table(rows)}")  # noqa: T201 - it is a program
    for sentence in run.wrong:
        sys.stderr.write(f"WRONG: {sentence}\n")
    if not run.wrong:
        with suppress(OSError):
            shutil.rmtree(folder)
    return 1 if run.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
