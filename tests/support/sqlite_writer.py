"""A program that writes rows to a SQLite file until it is killed: `python -m tests.support.sqlite_writer PATH`.

The row at offset n is `row(n)`. After each write that was taken it prints the position that is stored.
"""

import asyncio
import sys
from pathlib import Path

from connectors.sinks.sqlite.file import SqliteFile, Values
from connectors.sinks.sqlite.settings import SqliteSettings
from tests.support.minute_rows import TOPIC, minute

BATCH = 50
MINUTES = 400  # are revised again and again
END = 200_000  # rows, if nobody kills it


def row(offset: int) -> Values:
    revision, number = divmod(offset, MINUTES)
    return minute(number, queue="q", revision=revision + 1, total=offset)


async def main(path: Path) -> None:
    file = SqliteFile(SqliteSettings(path=path))
    position = (await file.positions()).get((TOPIC, 0), 0)
    while position < END:
        rows = [row(offset) for offset in range(position, position + BATCH)]
        position += BATCH
        await file.write({"metric_snapshots": rows}, {(TOPIC, 0): position})
        print(position, flush=True)  # noqa: T201 - what is printed was taken
    await file.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
