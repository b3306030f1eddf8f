"""Adapters that keep what they were given. Each passes the contract of the real one."""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from connectors.errors import PublishError, SinkError
from connectors.sinks.crm import Row
from schemas.envelope import Outgoing


class RecordingPublisher:
    """The fake: keeps what it was given. `refuse` makes it fail as Kafka would."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.refuse: str | None = None

    async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]:
        if self.refuse is not None:
            raise PublishError(f"Kafka refused a record: {self.refuse}")
        self.records.extend(records)
        return {(r.topic, r.partition or 0): len(self.records) - 1 for r in records}

    async def close(self) -> None:
        pass


class RecordingCrm:
    """The fake: takes the rows of a key once. `bad` are external ids that it refuses, `away` makes it fail."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[Row]]] = []
        self.taken: list[Row] = []
        self.bad: set[str] = set()
        self.away: SinkError | None = None
        self._seen: set[str] = set()

    async def post(self, rows: Sequence[Row], key: str) -> str | None:
        self.calls.append((key, list(rows)))
        await asyncio.sleep(0)
        if self.away is not None:
            raise self.away
        if bad := [row["external_id"] for row in rows if row["external_id"] in self.bad]:
            return f"{HTTPStatus.UNPROCESSABLE_ENTITY:d} no such conversation: {bad[0]}"
        if key not in self._seen:
            self._seen.add(key)
            self.taken += rows
        return None

    async def close(self) -> None:
        pass
