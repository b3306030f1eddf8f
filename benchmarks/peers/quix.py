"""Quix Streams: keyed state in RocksDB with a changelog topic, at least once.

Its windows give a result for each event, or one when they close. So the state is kept by hand, which is also what is
fastest: an entry for each duration of an hour, in front of it the counts in memory, and a sink that publishes what
has changed when Quix commits, each second.
"""

import os
from typing import Any

from confluent_kafka import Producer
from quixstreams import Application, State
from quixstreams.sinks import BaseSink

from benchmarks.peers.hours import FRAMES, HOURLY, PUBLISH_INTERVAL, Counts, key, parse, row

BROKER = os.environ["KAFKA_BOOTSTRAP_SERVERS"]

windows: dict[tuple[str, int], tuple[Counts, Counts]] = {}


def count(frame: bytes, state: State) -> tuple[str, int]:
    """Return the window that the frame changed. The state is the campaign's: Quix keeps it by the record's key."""
    campaign, hour, handle_time, wait_time = parse(frame)
    if (campaign, hour) not in windows:
        windows[campaign, hour] = _restored(state, f"{hour}|handle"), _restored(state, f"{hour}|wait")
    handle, wait = windows[campaign, hour]
    _add(state, f"{hour}|handle", handle, handle_time)
    _add(state, f"{hour}|wait", wait, wait_time)
    return campaign, hour


def _restored(state: State, name: str) -> Counts:
    return {value: state.get(f"{name}|{value}", 0) for value in state.get(name, [])}


def _add(state: State, name: str, counts: Counts, value: float) -> None:
    new = value not in counts
    counts[value] = counts.get(value, 0) + 1
    if new:
        state.set(name, list(counts))
    state.set(f"{name}|{value}", counts[value])


class Changed(BaseSink):  # type: ignore[misc] # Quix is not installed where types are checked
    """Publishes each changed window once a commit."""

    def __init__(self) -> None:
        super().__init__()
        self._changed: set[tuple[str, int]] = set()
        self._producer = Producer({"bootstrap.servers": BROKER, "compression.type": "lz4", "linger.ms": 5})

    def add(self, value: tuple[str, int], **_: Any) -> None:
        self._changed.add(value)

    def flush(self) -> None:
        for window in self._changed:
            self._producer.produce(HOURLY, row(*windows[window]), key(*window))
        self._changed.clear()
        self._producer.flush()


class Ready(Application):  # type: ignore[misc] # as above
    """Says when it has its partitions."""

    def _on_assign(self, *args: Any, **named: Any) -> None:
        super()._on_assign(*args, **named)
        print('{"ready": ["Quix Streams"]}', flush=True)


app = Ready(
    broker_address=BROKER,
    consumer_group="peer-quix",
    auto_offset_reset="earliest",
    state_dir="state",
    commit_interval=PUBLISH_INTERVAL,
    producer_extra_config={"compression.type": "lz4", "linger.ms": 5},
    loglevel="WARNING",
)
frames = app.topic(FRAMES, key_deserializer="bytes", value_deserializer="bytes")
app.dataframe(frames).apply(count, stateful=True).sink(Changed())
app.run()
