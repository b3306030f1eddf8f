"""A plain loop over confluent-kafka with dicts in memory, and nothing that survives its end: the yardstick."""

import atexit
import os
import signal
import sys
import time

from confluent_kafka import Consumer, Producer

from benchmarks.peers.hours import FRAMES, HOURLY, PUBLISH_INTERVAL, Counts, key, parse, row

BROKER = {"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]}
BATCH, WAIT_SECONDS = 2_000, 0.1

windows: dict[tuple[str, int], tuple[Counts, Counts]] = {}
changed: set[tuple[str, int]] = set()
consumer = Consumer(
    {**BROKER, "group.id": "peer-plain-loop", "auto.offset.reset": "earliest", "enable.auto.commit": False}
)
producer = Producer({**BROKER, "compression.type": "lz4", "linger.ms": 5})
atexit.register(consumer.close)  # else the group waits for it to come back
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
consumer.subscribe([FRAMES], on_assign=lambda *_: print('{"ready": ["plain loop"]}', flush=True))

due = time.monotonic() + PUBLISH_INTERVAL
while True:
    for message in consumer.consume(BATCH, WAIT_SECONDS):
        if message.error() is not None:
            sys.exit(str(message.error()))
        campaign, hour, handle_time, wait_time = parse(message.value() or b"")
        window = campaign, hour
        counts = windows.get(window)
        if counts is None:
            counts = windows[window] = {}, {}
        handle, wait = counts
        handle[handle_time] = handle.get(handle_time, 0) + 1
        wait[wait_time] = wait.get(wait_time, 0) + 1
        changed.add(window)
    if time.monotonic() >= due:
        for window in changed:
            producer.produce(HOURLY, row(*windows[window]), key(*window))
        changed.clear()
        producer.poll(0)
        due = time.monotonic() + PUBLISH_INTERVAL
