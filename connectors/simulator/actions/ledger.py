"""What CXone called about and what came of it, one line of JSON for each call."""

from typing import TextIO

import orjson

from connectors.simulator.actions.bodies import Call


class CallLedger:
    """Writes lines to `file`, each whole at once: who follows it sees no half of one that is terminated."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def settled(self, call: Call, status: int, seconds: float) -> None:
        """Write what a call came to; `status` is 0 when there was no answer."""
        row = {
            "path": call.path,
            "body": call.body.decode(),
            "usable": call.usable,
            "again": call.again,
            "status": status,
            "seconds": round(seconds, 6),
        }
        self._file.write(orjson.dumps(row).decode() + "\n")
        self._file.flush()
