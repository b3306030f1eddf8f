"""Somebody who keeps dashboards in files, and applies them again and again beside those who edit them in CXone.

Everything goes through the command line, as a person does it: `dashboards plan`, `dashboards apply`, `audit verify`.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streams.demo.processes import inherited

NAMES = ("sales-floor", "support", "night-shift")
PAUSE = 4.0  # seconds between two turns
PATIENCE = 60.0  # seconds for one command
VERIFIED = 2  # turns, after which the audit trail is verified
DRIFT = "changed in CXone by"  # in a plan
EVERY = 2  # turns of one dashboard, after which a field is changed that others change, too
LONGEST = 200  # characters of a line that is shown
FAILED, IN_CONFLICT = "failed", "in conflict"
CODES = {0: "applied", 3: IN_CONFLICT}

FILE = """\
id: {name}
name: {name}
description: turn {turn}
widgets:
  - title: Waiting
    type: metric
    position: {{x: 0, y: 0, w: 2, h: 1}}
    refreshInterval: {interval}
    query: {{skills: [sales, support], range: -7d, groupBy: [skill, hour], metrics: [total_conversations]}}
  - title: Talk
    type: table
    position: {{x: 2, y: 0, w: 2, h: 1}}
    query: {{range: -1d, groupBy: [agent], metrics: [avg_handle_time]}}
"""
OURS, THEIRS_TOO = 10, 30  # seconds of an interval: as it is applied first, and as we change it

Run = Callable[[Sequence[str]], Awaitable[tuple[int, str]]]  # arguments -> exit code, what it printed


@dataclass(slots=True)
class Kept:
    """What came of it: turns by how they ended, and what a person sees of the newest ones.

    Attributes:
        merged: turns that were applied beside edits of others, which stay.
        plan, outcome: what was printed last by each command.
        conflict: what was printed of the last conflict.
        chain: what was said when the audit trail was verified last.
        failures: what failed turns printed, and verifications that found something.
    """

    turns: Counter[str] = field(default_factory=Counter)
    merged: int = 0
    plan: list[str] = field(default_factory=list)
    outcome: list[str] = field(default_factory=list)
    conflict: list[str] = field(default_factory=list)
    chain: str = "not verified yet"
    failures: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Return it in one line."""
        turns = ", ".join(f"{number} {what}" for what, number in sorted(self.turns.items()))
        said = f"; {self.outcome[0]}" if self.outcome else ""
        return (
            f"dashboards: {turns or 'none yet'}; {self.merged} merged with edits of others{said}; chain: {self.chain}"
        )

    def lines(self) -> list[str]:
        """Return it for a screen: at most `LINES`."""
        parts = (("plan", self.plan), ("last conflict", self.conflict))
        shown = [f"{name}: {'; '.join(lines[:4])}" for name, lines in parts if lines]
        return [self.line(), *shown]


class Keeper:
    """Keeps files in `folder`."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.kept = Kept()
        self._run, self._folder = run, folder
        self._turn = 0
        self._in_conflict: set[str] = set()  # dashboards whose last turn was

    async def begin(self) -> None:
        """Make the dashboards."""
        await self._apply(NAMES, [self._write(name, OURS) for name in NAMES], "--create")

    async def turn(self) -> None:
        """Change a file, look at the plan, apply it, and verify the trail of it.

        After a conflict the change that was in it is taken back.
        """
        self._turn += 1
        turns, which = divmod(self._turn, len(NAMES))
        name = NAMES[which]
        path = self._write(name, OURS if name in self._in_conflict or turns % EVERY == 0 else THEIRS_TOO)
        _, planned = await self._run(["dashboards", "plan", path])
        self.kept.plan = shown(planned)
        applied = await self._apply([name], [path])
        self.kept.merged += applied and DRIFT in planned
        if self._turn % VERIFIED == 0:
            await self._verify()

    async def keep(self, stop: asyncio.Event) -> None:
        """Take turns until `stop`; the last one is finished."""
        while not stop.is_set():
            await self.turn()
            try:
                async with asyncio.timeout(PAUSE):
                    await stop.wait()
            except TimeoutError:
                pass

    async def _apply(self, names: Sequence[str], paths: Sequence[str], *options: str) -> bool:
        code, said = await self._run(["dashboards", "apply", *options, *paths])
        what = CODES.get(code, FAILED)
        self._in_conflict -= set(names)
        self._in_conflict |= set(names) if what == IN_CONFLICT else set()
        self.kept.turns[what] += 1
        if what == FAILED:
            self.kept.failures.append(f"exit status {code}: {'; '.join(shown(said))}")
        self.kept.outcome = shown(said) or self.kept.outcome
        if what == IN_CONFLICT:
            self.kept.conflict = shown(said)
        return code == 0

    async def _verify(self) -> None:
        code, said = await self._run(["audit", "verify"])
        words = "; ".join(shown(said)[:2])
        if code in {0, 1}:  # else there are no files yet
            self.kept.chain = words
        if code == 1:
            self.kept.failures.append(f"the audit trail does not hold: {words}")

    def _write(self, name: str, interval: int) -> str:
        path = self._folder / f"{name}.yaml"
        path.write_text(FILE.format(name=name, turn=self._turn, interval=interval))
        return str(path)


def shown(printed: str) -> list[str]:
    """Return the lines of what a command printed that a person sees first."""
    return [line[:LONGEST] for line in map(str.strip, printed.splitlines()) if line]


def command_line(environment: Mapping[str, str], folder: Path) -> Run:
    """Return what runs `cxone-streams` in `folder`, with `environment` and none of our own settings."""
    ours = {**inherited(), **environment}

    async def run(arguments: Sequence[str]) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streams", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=folder,
            env=ours,
            start_new_session=True,
        )
        printed = b""
        try:
            async with asyncio.timeout(PATIENCE):
                printed, _ = await process.communicate()
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, printed.decode("utf-8", "replace")

    return run
