"""Frames of the analytics socket as a connector leaves them on raw, out of order and some of them again."""

import threading
import time
from dataclasses import asdict
from typing import Any
from zlib import crc32

import orjson
from confluent_kafka import KafkaError, Message, Producer

from connectors.simulator.analytics.traffic import Delivery, Plan, deliveries
from schemas.topics import RAW_ANALYTICS
from streams.demo.judges.minutes import Figures, Key, truth

PARTITIONS, SILENT = 12, 7
QUEUES = ("a|b",)  # of several, one would have its wave while another has none: no alert would ever be over


class AnalyticsTraffic(threading.Thread):
    """Produces half an hour of event time, which ended a while ago, in `seconds`; nothing to partition `SILENT`.

    Read when it has ended: `expected`, `malformed` (how many), `redelivered`.
    """

    def __init__(self, bootstrap: str, *, seed: int, seconds: float, rate: float = 300.0) -> None:
        super().__init__(name="analytics traffic", daemon=True)
        history, ended = 1800.0, 120.0
        plan = Plan(
            seed=seed,
            rate=rate,
            speedup=history / seconds,
            history=history,
            agents=60,
            queues=QUEUES,
            wave=600,
            number=int(rate * seconds),
        )
        self._deliveries = deliveries(plan, time.time() - ended)
        self._events: list[dict[str, Any]] = []
        self.malformed = self.redelivered = 0
        self._failed: list[str] = []
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 20, "log_level": 0}
        )

    @property
    def expected(self) -> dict[Key, Figures]:
        return truth(self._events)

    def run(self) -> None:
        began = time.monotonic()
        for delivery in self._deliveries:
            if delivery.due > time.monotonic() - began:
                self._producer.poll(0)
                time.sleep(max(0.0, began + delivery.due - time.monotonic()))
            self._send(delivery)
        while self._producer.flush(1):
            pass

    def finish(self, within: float = 300) -> None:
        """Wait until everything is with the broker."""
        self.join(within)
        assert not self.is_alive(), "the traffic has not ended"
        assert not self._failed, self._failed[0]

    def _send(self, delivery: Delivery) -> None:
        if delivery.event is None:
            self.malformed += 1
        elif delivery.again:
            self.redelivered += 1
        else:
            self._events.append(asdict(delivery.event))
        key = _key(delivery)
        partition = crc32(key) % (PARTITIONS - 1)
        self._producer.produce(
            RAW_ANALYTICS.name,
            delivery.body,
            key,
            partition + (partition >= SILENT),
            on_delivery=self._delivered,
        )

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed.append(error.str())


def _key(delivery: Delivery) -> bytes:
    """Return what the frame tells of: the same frame goes to the same partition."""
    try:
        frame = orjson.loads(delivery.body)
    except orjson.JSONDecodeError:
        return b"malformed"
    return str(frame.get("agentId") or frame.get("queueId")).encode()
