"""The stage's agent on a channel: what comes in goes out, and is acknowledged with the seal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.settings import KafkaSettings
from schemas.envelope import Consumed, Outgoing
from schemas.topics import DEAD_LETTERS, GUEST_ADMITTED, GUEST_MESSAGES, GUEST_THROTTLED
from streams.core.contract import Chunk, Flush
from streams.runtime.app import App, build_app
from streams.runtime.assembly import attach
from streams.runtime.errors import TooManyRefusedError
from streams.runtime.refusal_limit import SAMPLE
from streams.runtime.settings import WorkerSettings
from streams.runtime.stage import Stage
from streams.stages.rate_limit.guests import STAGE
from tests.streams.stages.rate_limit.guest_messages import guests, message, record, store


class Consumer:
    """The consumer of an app, as far as its stream asks it."""

    def __init__(self) -> None:
        self._unacked_messages: set[Any] = set()


class Partition:
    """What a broker has of partition 4: its changelog, and what was published."""

    def __init__(self) -> None:
        self.changelog: dict[bytes, bytes] = {}
        self.published: list[Outgoing] = []

    async def deliver(self, flushes: Mapping[int, Flush]) -> None:
        for flush in flushes.values():
            self.published += flush.outputs
            store(self.changelog, flush.seal)

    def stage(self) -> Stage[Flush]:
        return Stage(
            STAGE,
            load=lambda: {4: self.changelog},
            core=lambda _, stored: guests(dict(stored)),
            deliver=self.deliver,
            interval=1.0,
            eager=True,
            refusals=0.5,
        )


def start(tmp_path: Path, partition: Partition) -> tuple[App, Any]:
    app = build_app(STAGE, GUEST_MESSAGES.name, KafkaSettings(), WorkerSettings(data_dir=tmp_path))
    agent = attach(app, partition.stage())
    app.consumer = Consumer()
    return app, agent


def chunk(*records: Consumed, number: int = 0) -> Chunk:
    return Chunk(GUEST_MESSAGES.name, 4, records, number)


async def test_messages_go_out_at_once_and_are_acknowledged_with_the_seal(tmp_path: Path) -> None:
    partition = Partition()
    app, agent = start(tmp_path, partition)
    async with agent.test_context() as running:
        event = await running.put(chunk(*[record(i, message()) for i in range(16)], record(16, b"{")))

        await app.stage.flush(seal=False)
        topics = [output.topic for output in partition.published]
        assert topics == [GUEST_ADMITTED.name] * 15 + [GUEST_THROTTLED.name, DEAD_LETTERS.name]
        assert (event.message.acked, partition.changelog) == (False, {})

        await app.stage.flush()

    assert event.message.acked
    assert len(partition.changelog) == 1


async def test_the_next_owner_goes_on_from_the_seal(tmp_path: Path) -> None:
    partition = Partition()
    app, agent = start(tmp_path, partition)
    async with agent.test_context() as running:
        await running.put(chunk(*[record(i, message()) for i in range(15)]))
        await app.stage.flush()

    app, agent = start(tmp_path, partition)
    async with agent.test_context() as running:
        await running.put(chunk(record(14, message()), record(15, message())))
        await app.stage.flush()

    assert [output.topic for output in partition.published[15:]] == [GUEST_THROTTLED.name]


async def test_the_stage_stops_when_most_is_no_message(tmp_path: Path) -> None:
    app, agent = start(tmp_path, Partition())

    with pytest.raises(TooManyRefusedError):
        async with agent.test_context() as running:
            await running.put(chunk(*[record(i, b"{") for i in range(SAMPLE)]))

    assert isinstance(app.crash_reason, TooManyRefusedError)
