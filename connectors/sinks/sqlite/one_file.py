"""One file for all workers of a group: each tells the group its path, as its client id, and looks at the others'.

Workers that were given different paths would take turns at the topics, and each file would be old most of the time.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote

import structlog

from connectors.errors import ConfigurationError, ConnectorError

PREFIX = "cxone-sqlite:"
LEAVES_WITHIN = 5.0  # seconds after its session in which a worker that died is no member any more
LOOK_INTERVAL = 15.0  # seconds

log = structlog.get_logger(component="sqlite")


class Member(Protocol):
    """What is needed of `connectors.kafka.group_members.Member`."""

    @property
    def client_id(self) -> str: ...
    @property
    def host(self) -> str: ...


class Members(Protocol):
    """What is needed of `connectors.kafka.group_members.GroupMembers`."""

    def of(self, group: str) -> Sequence[Member]: ...


class OneFile:
    """A worker that writes to `path`, among the members of its group.

    `session`: seconds for which the group counts a worker that died as a member. `pause`: seconds between two looks.
    """

    def __init__(self, group: str, path: Path, members: Members, *, session: float, pause: float = 1.0) -> None:
        self._group, self._path, self._members = group, path.absolute(), members
        self._patience, self._pause = session + LEAVES_WITHIN, pause

    @property
    def client_id(self) -> str:
        """What this worker has to be called in its group."""
        return PREFIX + quote(str(self._path))

    async def let_in(self) -> None:
        """Wait until no member has another file.

        Raises ConfigurationError when one has for longer than the dead are counted.
        """
        deadline = time.monotonic() + self._patience
        while (wrong := await self._another()) is not None:
            if time.monotonic() >= deadline:
                raise wrong
            log.warning("not joining yet", reason=str(wrong))
            await asyncio.sleep(self._pause)

    async def watch(self, stands_by: Callable[[], bool]) -> None:
        """Look for ever. Raises ConfigurationError when this is the standby of a worker with another file.

        Two that began at the same time have let each other in.
        """
        while True:
            await asyncio.sleep(LOOK_INTERVAL)
            await self.look(stands_by)

    async def look(self, stands_by: Callable[[], bool]) -> None:
        """Look once. Raises as `watch`."""
        if stands_by() and (wrong := await self._another()) is not None:
            raise wrong

    async def _another(self) -> ConfigurationError | None:
        try:
            members = await asyncio.to_thread(self._members.of, self._group)
        except ConnectorError as failure:
            log.warning("the group cannot be looked at", reason=str(failure))
            return None
        others = [each for each in members if each.client_id.startswith(PREFIX) and each.client_id != self.client_id]
        if not others:
            return None
        theirs = unquote(others[0].client_id.removeprefix(PREFIX))
        return ConfigurationError(
            f"SQLITE_PATH is {self._path}, and another worker of {self._group} (at {others[0].host.lstrip('/')}) has "
            f"{theirs}: give all the same, or stop that one first"
        )
