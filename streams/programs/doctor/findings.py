"""Checks side by side, each with a deadline, and what they find."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from connectors.errors import AuthorizationError, ConfigurationError, ConnectorError

DEADLINE = 12.0  # seconds for one check


class Colour(StrEnum):
    GREEN = "green"
    YELLOW = "yellow"  # it may be as it should: a person has to know
    RED = "red"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says: `said` in one line, and what to `do` about it."""

    check: str
    colour: Colour
    said: str
    do: str = ""


class Wrong(Exception):
    """What a check raises to say that something is wrong: red, or yellow."""

    def __init__(self, said: str, do: str = "", *, colour: Colour = Colour.RED) -> None:
        super().__init__(said)
        self.do, self.colour = do, colour


Look = Callable[[], str | Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at. `look` says in a line what is well, or raises; it blocks in a thread unless it is async.

    `do` is what to do about a failure that says nothing itself.
    """

    name: str
    look: Look
    do: str = ""


async def findings(checks: Sequence[Check], *, deadline: float = DEADLINE) -> list[Finding]:
    """Run checks side by side, in `deadline` seconds each; return what each found, in order."""
    return list(await asyncio.gather(*(_finding(check, deadline) for check in checks)))


async def _finding(check: Check, deadline: float) -> Finding:
    try:
        async with asyncio.timeout(deadline):
            said = check.look() if inspect.iscoroutinefunction(check.look) else await asyncio.to_thread(check.look)
            if not isinstance(said, str):
                said = await said
    except Wrong as wrong:
        return Finding(check.name, wrong.colour, _line(str(wrong)), wrong.do or check.do)
    except TimeoutError:
        return Finding(check.name, Colour.RED, f"no answer within {deadline:g} s", check.do)
    except (AuthorizationError, ConfigurationError) as wrong:
        return Finding(check.name, Colour.RED, _line(str(wrong)), check.do)
    except ConnectorError as failure:
        return Finding(check.name, Colour.RED, _line(str(failure)), check.do)
    except Exception as failure:  # noqa: BLE001 - one check that breaks must not hide what the others found
        return Finding(check.name, Colour.RED, f"the check itself failed: {type(failure).__name__}", check.do)
    return Finding(check.name, Colour.GREEN, said)


def _line(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())
