"""Stand-ins for transactions: one that a door writes to, and a producer that does what a script says."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from schemas.envelope import Outgoing


class RecordingTransactions:
    """The fake: commits at once. `refuse` is raised instead; while `hold` is set, commits wait for it."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.blocked: str | None = None
        self.refuse: Exception | None = None
        self.hold: asyncio.Event | None = None
        self.asked = asyncio.Semaphore(0)  # released by each publish

    async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]:
        self.asked.release()
        if self.hold is not None:
            await self.hold.wait()
        if self.refuse is not None:
            raise self.refuse
        self.records.extend(records)
        return {}


def failure(code: int, *, fatal: bool = False, retriable: bool = False, abort: bool = False) -> KafkaException:
    return KafkaException(KafkaError(code, None, fatal, retriable, abort))


class ScriptedProducer:
    """A transactional producer that notes its calls; `script` has, by method, what the next calls raise."""

    def __init__(self, script: Mapping[str, list[BaseException | None]] | None = None) -> None:
        self.script = {method: deque(steps) for method, steps in (script or {}).items()}
        self.calls: list[str] = []
        self.open: list[Outgoing] = []
        self.committed: list[list[Outgoing]] = []
        self.reported: Callable[[KafkaError], None] | None = None
        self.before: Callable[[str], object] = lambda _method: None
        self.left = 0  # records that a flush leaves behind
        self.fatal: KafkaException | None = None  # what a poll raises
        self.say: KafkaError | None = None  # to `reported`, when it is polled

    def _step(self, method: str) -> None:
        self.before(method)
        self.calls.append(method)
        steps = self.script.get(method)
        if steps and (error := steps.popleft()) is not None:
            raise error

    def init_transactions(self, _timeout: float) -> None:
        self._step("init_transactions")

    def begin_transaction(self) -> None:
        self._step("begin_transaction")
        self.open = []

    def produce(self, topic: str, value: bytes, key: bytes, partition: int, *rest: Any) -> None:
        self._step("produce")
        self.open.append(Outgoing(topic, key, value, tuple(rest[-1]), None if partition < 0 else partition))

    def commit_transaction(self, _timeout: float) -> None:
        self._step("commit_transaction")
        self.committed.append(self.open)

    def abort_transaction(self, _timeout: float) -> None:
        self._step("abort_transaction")
        self.open = []

    def flush(self, _timeout: float) -> int:
        self._step("flush")
        return self.left

    def list_topics(self, timeout: float) -> None:
        self._step("list_topics")

    def poll(self, _timeout: float) -> int:
        if self.say is not None and self.reported is not None:
            self.reported(self.say)
        if self.fatal is not None:
            raise self.fatal
        return 0

    def purge(self) -> None:
        self._step("purge")
