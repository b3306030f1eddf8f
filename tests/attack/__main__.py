"""`make attack`: every client and every way in against hostile peers, while what nobody attacks has to go on.

Quiet first, then so many seconds of attacks at random (the seed says which), then quiet again. Exit status 1 when
something is not as it must be.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import asdict
from pathlib import Path
from random import Random

from streams.demo.processes import ChildError
from tests.attack import secrets, verdicts
from tests.attack.callers import Door, call
from tests.attack.records import TOPICS, Records
from tests.attack.system import ATTACKED, DOOR, WORKER, System, running
from tests.attack.verdicts import Verdict
from tests.attack.watch import Phase, Watcher

WARM_UP, QUIET = 40.0, 60.0  # seconds
OVERHEAD = 900.0  # seconds for everything but the attack; then the program gives up
AT_A_TIME = 3  # callers of each door
PROBES = ("/readyz", "/metrics", "/livez")
WEBHOOKS = ("/webhook/cxone-data-action", "/webhook/cxone-dashboard")
WEBHOOK_DOOR = "webhooks"

COMPLETED = '{outcome="completed"}'
HEALTHY = {
    "interactions": (WORKER, f"cxone_normalise_frames_total{COMPLETED}"),
    "guests' messages": (WORKER, f"cxone_messages_frames_total{COMPLETED}"),
    "analytics": (WORKER, f"cxone_analytics_frames_total{COMPLETED}"),
    "webhooks": (WORKER, f"cxone_actions_frames_total{COMPLETED}"),
}


class Report:
    """Verdicts so far, and what else is told at the end."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []
        self.figures: dict[str, object] = {}
        self.lines: list[str] = []

    def failed(self, what: str, why: str) -> None:
        self.verdicts.append(Verdict(what, why, "", holds=False))

    @property
    def holds(self) -> bool:
        return all(verdict.holds for verdict in self.verdicts)

    def show(self) -> Iterator[str]:
        yield from self.lines
        widest = max((len(verdict.what) for verdict in self.verdicts), default=0)
        for verdict in self.verdicts:
            mark = "ok   " if verdict.holds else "WRONG"
            limit = f"  (must be {verdict.limit})" if verdict.limit else ""
            yield f"{mark} {verdict.what:{widest}}  {verdict.seen}{limit}"


async def _run(seconds: float, seed: int, folder: Path, report: Report) -> None:
    random = Random(seed)
    async with asyncio.timeout(seconds + OVERHEAD), running(folder, random) as system:
        search = secrets.Searcher(map(str.encode, system.secrets.values()))
        with closing(secrets.Follower(system.bootstrap, search, system.tokens)) as follower:
            looked = Watcher(
                system.children,
                system.addresses,
                HEALTHY,
                system.excused,
                lambda title, phase: _tell(title, phase, system, follower),
            )
            async with looked:
                await looked.watch("warm-up", WARM_UP)
                quiet = await looked.watch("quiet", QUIET)
                for peer in system.peers:
                    await peer.turn(hostile=True)
                async with _attacking(system, random) as done:
                    attack = await looked.watch("attack", seconds)
                for peer in system.peers:
                    await peer.turn(hostile=False)
                recovery = await looked.green(2 * verdicts.RECOVERS)
                printed = [await looked.metrics(name) for name in system.addresses]
            _judge(report, system, quiet, attack)
            report.verdicts.append(verdicts.recovery(recovery))
            for peer in system.peers:
                done.update(peer.done)
            whom = (*verdicts.CLIENT_NAMES, WEBHOOK_DOOR, *system.addresses, *(spec.name for spec in TOPICS))
            report.verdicts += verdicts.every_way(done, whom, seconds)
            report.lines += ["", "attacks:", *verdicts.table(done), ""]
            await asyncio.sleep(2.0)
            in_files = await asyncio.to_thread(secrets.in_files, folder, search, folder / "audit.key")
            shown = [place for text in printed for place in search.found(text.encode())]
            report.verdicts.append(verdicts.none("secrets on Kafka", follower.found))
            report.verdicts.append(verdicts.none("secrets in files and metrics", [*in_files, *map(repr, shown)]))
            report.figures["searched"] = follower.bytes
    report.verdicts.append(verdicts.none("processes that ended, or did not stop cleanly", []))


def _judge(report: Report, system: System, quiet: Phase, attack: Phase) -> None:
    report.verdicts += verdicts.throughput(quiet, attack)
    report.verdicts += verdicts.memory(quiet, attack)
    report.verdicts += verdicts.readiness(quiet, attack, sockets=ATTACKED, worker=WORKER)
    report.verdicts.append(verdicts.none("commands that crashed", system.commands.crashed))
    for title, phase in (("quiet", quiet), ("attack", attack)):
        report.lines.append(f"{title}: {phase.ours:.2f} CPUs used by us, {phase.others:.2f} by others")
        report.figures[title] = {
            "ours": phase.ours,
            "others": phase.others,
            "work": {name: phase.rate(name) for name in phase.work},
            "memory": phase.memory,
            "red": {name: phase.red(name) for name in phase.looks},
        }
    report.lines.append(f"honest callers of the door: {dict(system.answers)}")
    report.lines.append(f"commands: {dict(system.commands.ended)}")


@asynccontextmanager
async def _attacking(system: System, random: Random) -> AsyncIterator[Counter[tuple[str, str]]]:
    """Attack the ways in while the context lasts; yields what was done."""
    done: Counter[tuple[str, str]] = Counter()
    ports = {name: int(address.rpartition(":")[2]) for name, address in system.addresses.items()}
    doors = [Door(name, port, PROBES) for name, port in ports.items()]
    doors += [Door(WEBHOOK_DOOR, ports[DOOR], WEBHOOKS)] * 4
    records = Records(system.bootstrap, Random(random.random()))
    calling = [call(door, system.secrets["door"], Random(random.random()), done) for door in doors * AT_A_TIME]
    tasks = [asyncio.create_task(work) for work in (*calling, records.write())]
    try:
        yield done
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        records.close()
        done.update(records.done)


def _tell(title: str, phase: Phase, system: System, follower: secrets.Follower) -> None:
    red = sorted(name for name, looks in phase.looks.items() if looks[-1].why_not)
    lasted = phase.looks[WORKER][-1].at
    memory = phase.memory[WORKER] / 2**20
    attacks = sum(peer.done.total() for peer in system.peers)
    say(
        f"{title} {lasted:.0f} s: red {', '.join(red) or 'nobody'}; clients attacked {attacks} times;"
        f" {len(follower.found)} secrets on Kafka; commands {system.commands.ended.total()}; worker {memory:.0f} MiB"
    )


def say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 - it is a program


def _causes(failure: BaseException | None) -> Iterator[str]:
    """Yield what ended, and what was hidden by how others stopped."""
    while failure is not None:
        yield f"{type(failure).__name__}: {failure}"
        failure = failure.__context__


async def _main(options: argparse.Namespace, folder: Path, report: Report) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # what it started is stopped
    try:
        await _run(options.seconds, options.seed, folder, report)
    except ChildError as ended:
        report.failed("processes that ended, or did not stop cleanly", "\n".join(_causes(ended)))
    except (Exception, asyncio.CancelledError) as failure:  # noqa: BLE001 - it is reported
        report.failed("the attack itself", "\n".join(_causes(failure)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="make attack", description=__doc__)
    parser.add_argument("seconds", type=float, nargs="?", default=600.0)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED", "1")))
    parser.add_argument("--json", action="store_true", help="print the report as JSON as well")
    options = parser.parse_args()
    folder, report = Path(tempfile.mkdtemp(prefix="attack-")), Report()
    say(f"seed {options.seed}, {options.seconds:g} s of attacks; logs in {folder}")
    asyncio.run(_main(options, folder, report))
    for line in report.show():
        say(line)
    if options.json:
        report.figures |= {"seed": options.seed, "verdicts": [asdict(verdict) for verdict in report.verdicts]}
        say(json.dumps(report.figures))
    say(f"seed {options.seed}: {'all as it must be' if report.holds else f'not as it must be; logs stay in {folder}'}")
    if report.holds:
        shutil.rmtree(folder)
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
