"""What a sink does on a disk that fills up and then turns read-only: run in a mount namespace of its own.

`unshare -rm python -m tests.support.small_disk FOLDER` mounts one MiB on FOLDER and prints a line of JSON.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from connectors.errors import SinkError
from connectors.sinks.sqlite.file import SqliteFile
from connectors.sinks.sqlite.settings import SqliteSettings
from tests.support.minute_rows import TOPIC, ask, minute


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


async def main(folder: Path) -> None:
    mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    path = folder / "metrics.db"
    file = SqliteFile(SqliteSettings(path=path))
    await file.positions()
    report: dict[str, object] = {}
    ballast = folder / "ballast"
    ballast.write_bytes(b"x" * (400 << 10))
    written, refusal = 0, ""
    while not refusal:
        try:
            await file.write({"metric_snapshots": rows(written)}, {(TOPIC, 0): written + 1})
            written += 1
        except SinkError as failure:
            refusal = f"{type(failure).__name__}: {failure}"
    report["full"], report["taken before"] = refusal, written
    ballast.unlink()
    positions = (await file.positions())[TOPIC, 0]
    report["nothing lost"] = positions == written
    await file.write({"metric_snapshots": rows(written)}, {(TOPIC, 0): written + 1})
    await file.release()
    mount("-o", "remount,ro", str(folder))
    try:
        await file.positions()
    except SinkError as failure:
        report["read-only"] = f"{type(failure).__name__}: {failure}"
    mount("-o", "remount,rw", str(folder))
    await file.positions()
    await file.write({"metric_snapshots": rows(written + 1)}, {(TOPIC, 0): written + 2})
    await file.close()
    report["integrity"] = ask(path, "PRAGMA integrity_check")[0]
    report["rows"] = ask(path, "SELECT count(*) FROM metric_snapshots")[0] == 100 * (written + 2)
    print(json.dumps(report))  # noqa: T201 - for the test


def rows(batch: int) -> list[dict[str, str | int | float | None]]:
    return [{**minute(n), "queue": f"{batch}"} for n in range(100)]


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
