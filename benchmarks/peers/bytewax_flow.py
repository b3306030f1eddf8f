"""Bytewax: a state for each campaign that publishes its changed hours once a second; snapshots in SQLite each 10 s.

Its windows give nothing before they close, so the state is kept by hand.
"""

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.peers.hours import FRAMES, HOURLY, PUBLISH_INTERVAL, Counts, key, parse, row

BROKERS = [os.environ["KAFKA_BOOTSTRAP_SERVERS"]]
BATCH = 1_000
SNAPSHOT_INTERVAL = timedelta(seconds=10)
STATE = Path("state")

Durations = tuple[int, float, float]  # start of the hour, handle time, wait time
Hours = dict[int, tuple[Counts, Counts]]


class Campaign(StatefulBatchLogic):  # type: ignore[misc] # Bytewax is not installed where types are checked
    def __init__(self, hours: Hours | None) -> None:
        self._hours: Hours = hours or {}
        self._changed: set[int] = set()
        self._due: datetime | None = None

    def on_batch(self, values: Iterable[Durations]) -> Any:
        for hour, handle_time, wait_time in values:
            if hour not in self._hours:
                self._hours[hour] = {}, {}
            handle, wait = self._hours[hour]
            handle[handle_time] = handle.get(handle_time, 0) + 1
            wait[wait_time] = wait.get(wait_time, 0) + 1
            self._changed.add(hour)
        if self._due is None:
            self._due = datetime.now(UTC) + timedelta(seconds=PUBLISH_INTERVAL)
        return (), self.RETAIN

    def on_notify(self) -> Any:
        rows = [(hour, row(*self._hours[hour])) for hour in self._changed]
        self._changed.clear()
        self._due = None
        return rows, self.RETAIN

    def notify_at(self) -> datetime | None:
        return self._due

    def snapshot(self) -> Hours:
        return {hour: (handle.copy(), wait.copy()) for hour, (handle, wait) in self._hours.items()}


def parsed(messages: Iterable[Any]) -> list[tuple[str, Durations]]:
    found = []
    for message in messages:
        campaign, hour, handle_time, wait_time = parse(message.value)
        found.append((campaign, (hour, handle_time, wait_time)))
    return found


def as_message(keyed: tuple[str, tuple[int, bytes]]) -> Any:
    campaign, (hour, published) = keyed
    return KafkaSinkMessage(key(campaign, hour), published)


flow = Dataflow("peer-bytewax")
frames = op.input("frames", flow, KafkaSource(BROKERS, [FRAMES], batch_size=BATCH))
hours = op.stateful_batch("hours", op.flat_map_batch("parse", frames, parsed), Campaign)
op.output("hourly", op.map("message", hours, as_message), KafkaSink(BROKERS, HOURLY, add_config={"linger.ms": "5"}))

STATE.mkdir()
init_db_dir(STATE, 1)
print('{"ready": ["Bytewax"]}', flush=True)  # it tells nobody when it is
cli_main(flow, recovery_config=RecoveryConfig(STATE), epoch_interval=SNAPSHOT_INTERVAL)
