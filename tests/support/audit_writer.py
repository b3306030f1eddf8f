"""A program that writes an audit trail as the stage does, one entry at a time, until it is killed.

usage: python -m tests.support.audit_writer FOLDER KEY. It prints the number of each entry that is on the disk.
"""

import asyncio
import sys
from pathlib import Path

from connectors.sinks.audit_files import AuditFolder
from streams.core.audit.heads import private_key, signer, trusted
from streams.core.audit.journal import Journal
from streams.stages.audit.app import newest, repair
from tests.support.audit_trail import START, entries

MADE = 400
STEP = 5 * 3_600_000  # ms between two entries: days pass


async def main(path: Path, pem: bytes) -> None:
    key = private_key(pem)
    folder = AuditFolder(path)
    journal = Journal(signer(key), newest(folder), trusted([key.public_key()]))
    repair(folder)
    there = sum(tip["sequence"] for tip in journal.tips.values())
    made = entries(MADE)
    for number in range(max(there - 3, 0), MADE):  # some come again, as after a kill
        writes, _ = journal.append([(number, made[number])], START + number * STEP)
        for write in writes:
            await folder.append(write.file, write.data)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes()))
