"""What was seen -> what of it is as it must be. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.attack.peer import CLIENTS, SOCKETS
from tests.attack.watch import Phase, Recovery
from tests.attack.ways import WAYS

LARGEST, SLOWEST = 1.5, 0.8  # memory and work, as shares of what they were when nobody attacked
RECOVERS = 30.0  # seconds after which all is green again
TURNS = 10.0  # seconds from the beginning of an attack, after which what is attacked says so
LONG_ENOUGH = 600.0  # seconds, for everybody to meet everything
REDDEST = 0.9  # of looks from then on, at a worker: one of its calls may be answered well by chance

Done = Mapping[tuple[str, str], int]  # (who, way) -> how often


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that must hold."""

    what: str
    seen: str
    limit: str
    holds: bool


def memory(quiet: Phase, attack: Phase) -> Iterable[Verdict]:
    for name, before in quiet.memory.items():
        most = attack.memory[name]
        seen = f"{most / before:.2f} x ({before / 2**20:.0f} -> {most / 2**20:.0f} MiB)"
        yield Verdict(f"memory of {name}", seen, f"< {LARGEST:g} x", most < LARGEST * before)


def throughput(quiet: Phase, attack: Phase) -> Iterable[Verdict]:
    for name in quiet.work:
        before, now = quiet.rate(name), attack.rate(name)
        share = now / before if before else 0.0
        seen = f"{share:.0%} ({before:.1f} -> {now:.1f} a second)"
        yield Verdict(f"throughput of {name}", seen, f">= {SLOWEST:.0%}", share >= SLOWEST)


def readiness(quiet: Phase, attack: Phase, *, sockets: Iterable[str], worker: str) -> Iterable[Verdict]:
    """Judge what says of itself whether it is ready.

    A connector is red whenever its socket is not open, as far as it can know; a worker while one of its calls fails.
    """
    for name in sockets:
        unfounded = attack.unfounded(name, TURNS)
        seen = f"{unfounded} looks green without a socket; red in {attack.red(name, TURNS):.0%}"
        yield Verdict(f"{name} is red", seen, "0 looks", not unfounded)
    red = attack.red(worker, TURNS)
    yield Verdict(f"{worker} is red", f"{red:.0%} of looks", f">= {REDDEST:.0%}", red >= REDDEST)
    for name in (*sockets, worker):
        red = quiet.red(name)
        seen = "; ".join([f"red in {red:.0%} of looks", *quiet.reasons(name)])
        yield Verdict(f"{name} is green before", seen, "0 %", not red)


def recovery(after: Recovery) -> Verdict:
    seen = "; ".join([f"{after.took:.1f} s", f"last {', '.join(after.last)}", *map(": ".join, after.red.items())])
    return Verdict("all is green after it", seen, f"<= {RECOVERS:g} s", not after.red and after.took <= RECOVERS)


def none(what: str, found: Iterable[str]) -> Verdict:
    found = list(found)
    return Verdict(what, "; ".join([str(len(found)), *found[:5]]), "0", not found)


def every_way(done: Done, whom: Iterable[str], seconds: float) -> Iterable[Verdict]:
    """Say whom nobody attacked in one of the ways; a short attack is too short for some."""
    missing = [f"{name}: {', '.join(left)}" for name in whom if (left := [w for w in WAYS if not done.get((name, w))])]
    if seconds >= LONG_ENOUGH:
        yield none("clients and ways in that were not attacked in every way", missing)


def table(done: Done) -> Iterable[str]:
    """Yield lines: who was attacked in which way how often."""
    names = sorted({name for name, _ in done})
    widest = max(map(len, names), default=0)
    yield f"{'':{widest}}  {'  '.join(f'{way:>8}' for way in WAYS)}"
    for name in names:
        yield f"{name:{widest}}  {'  '.join(f'{done.get((name, way), 0):8}' for way in WAYS)}"


CLIENT_NAMES = (*SOCKETS.values(), *CLIENTS.values())
