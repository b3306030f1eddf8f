"""People's commands, given again and again beside the attack: what they print is kept, and whether one crashed."""

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from streams.demo.keeper import Keeper
from streams.demo.processes import inherited
from tests.attack.ways import HOST

PATIENCE = 30.0  # seconds for one command; those about dashboards wait for CXone for longer
PAUSE = 5.0  # seconds between two
NOBODY = f"http://{HOST}:9/webhook/cxone-dashboard"  # listens there


class Commands:
    """Runs `cxone-streams` in `folder`, with `environment` and none of our own settings.

    `registry` are those that commands about schemas get on top: all others would ask there, too.

    Attributes:
        ended: how commands ended, by their first two words and exit status ("cut off" after `PATIENCE`).
        crashed: what they said that ended with a traceback.
    """

    def __init__(self, environment: Mapping[str, str], registry: Mapping[str, str], folder: Path) -> None:
        self.ended: Counter[str] = Counter()
        self.crashed: list[str] = []
        self._environment, self._registry, self._folder = {**inherited(), **environment}, registry, folder

    async def give(self) -> None:
        """Give commands, and keep dashboards in files, until cancelled."""
        async with asyncio.TaskGroup() as people:
            for work in (self._register(), self._subscribe(), self._keep()):
                people.create_task(work)

    async def _register(self) -> None:
        while True:
            for arguments in (("schemas", "check", "--registry"), ("schemas", "register")):
                await self.run(arguments)
                await asyncio.sleep(PAUSE)

    async def _subscribe(self) -> None:
        while True:
            await self.run(("dashboards", "subscribe", NOBODY))
            await asyncio.sleep(PAUSE)

    async def _keep(self) -> None:
        keeper = Keeper(self.run, self._folder)
        await keeper.begin()
        while True:
            await asyncio.sleep(PAUSE)
            await keeper.turn()

    async def run(self, arguments: Sequence[str]) -> tuple[int, str]:
        """Return a command's exit status and what it printed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streams", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self._folder,
            env={**self._environment, **(self._registry if arguments[0] == "schemas" else {})},
            start_new_session=True,
        )
        printed = said = b""
        how = "cut off"
        try:
            async with asyncio.timeout(PATIENCE):
                printed, said = await process.communicate()
            how = f"status {process.returncode}"
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        name = " ".join(arguments[:2])
        self.ended[f"{name}: {how}"] += 1
        with (self._folder / "commands.log").open("ab") as log:
            log.write(printed + said)
        if b"Traceback" in said:
            self.crashed.append(f"{name}: {said.decode('utf-8', 'replace')[-2000:]}")
        return process.returncode or 0, printed.decode("utf-8", "replace")
