"""Frames as CXone would send them, and what a batch computation makes of them."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson
from confluent_kafka import KafkaError, Message, Producer

from schemas.topics import RAW_INTERACTIONS

HOUR = 3_600_000  # ms
SPAN = 6 * HOUR  # of event time
DISORDER = 5 * 60_000  # an event comes so much later than its time at most, ms
CAMPAIGNS = 200
REDELIVERED = 0.10
MALFORMED = 0.01
REDELIVERED_FROM = 1000  # among so many newest frames

Window = tuple[str, int]  # campaign, start of the hour in ms

SPOILS: list[Callable[[dict[str, Any]], object]] = [
    lambda frame: frame["payload"].pop("campaignId"),
    lambda frame: frame["payload"].update(handleTime=-1),
    lambda frame: frame["payload"].update(waitTime=True),
    lambda frame: frame.update(timestamp="yesterday"),
]


class Traffic(threading.Thread):
    """Produces `events` different events at `rate` a second, with redeliveries and malformed frames between them.

    It ends earlier after `stop`. Read when it has ended: `truth` (durations by window), `malformed` (source positions),
    `redelivered` (how many).
    """

    def __init__(  # noqa: PLR0913 - what traffic is made of
        self, bootstrap: str, *, seed: int, events: int, rate: float, span: int = SPAN, malformed: float = MALFORMED
    ) -> None:
        """`span` of event time, up to now, in milliseconds; `malformed` is a share."""
        super().__init__(name="traffic", daemon=True)
        self.truth: defaultdict[Window, list[tuple[int, int]]] = defaultdict(list)
        self.malformed: set[str] = set()
        self.redelivered = 0
        self.produced = 0
        self._failed: list[str] = []
        self._stopped = threading.Event()
        self._random = Random(seed)
        self._events, self._rate, self._span, self._malformed = events, rate, span, malformed
        self._weights = [1 / (rank + 1) for rank in range(CAMPAIGNS)]
        self._producer: Any = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 20,
                "message.timeout.ms": 0,
                "log_level": 0,
            }
        )

    def run(self) -> None:
        began, start = time.monotonic(), time.time_ns() // 1_000_000 - self._span
        newest: list[tuple[str, bytes]] = []
        for number in range(self._events):
            at = start + number * self._span // self._events - self._random.randrange(DISORDER)
            key, frame = f"i-{number}", self._frame(number, at)
            self._send(key, frame, self._delivered)
            newest = [*newest[1 - REDELIVERED_FROM :], (key, frame)]
            if self._random.random() < REDELIVERED:
                self._send(*self._random.choice(newest), self._delivered)
                self.redelivered += 1
            if self._random.random() < self._malformed:
                self._send(f"m-{number}", self._spoilt(number, at), self._spoilt_delivered)
            if self._stopped.is_set():
                break
            if number % 50 == 0:
                self._producer.poll(0)
                time.sleep(max(0.0, began + number / self._rate - time.monotonic()))
        while self._producer.flush(1):  # for as long as it takes: it may return early while brokers are away
            pass

    def stop(self) -> None:
        """Produce nothing more."""
        self._stopped.set()

    def finish(self, within: float = 300) -> None:
        """Wait until everything is with the broker."""
        self.join(within)
        assert not self.is_alive(), "the traffic has not ended"
        assert not self._failed, self._failed[0]

    def _frame(self, number: int, at: int) -> bytes:
        campaign = f"campaign-{self._random.choices(range(CAMPAIGNS), self._weights)[0]}"
        handle, wait = int(self._random.lognormvariate(5.5, 0.6)), int(self._random.lognormvariate(3, 1))
        self.truth[campaign, at - at % HOUR].append((handle, wait))
        return orjson.dumps(_event(number, at, campaign, handle, wait))

    def _spoilt(self, number: int, at: int) -> bytes:
        if self._random.random() < 1 / (len(SPOILS) + 1):
            return b"{not json"
        frame = _event(-1 - number, at, "campaign-0", 1, 1)
        self._random.choice(SPOILS)(frame)
        return orjson.dumps(frame)

    def _send(self, key: str, value: bytes, delivered: Callable[[KafkaError | None, Message], None]) -> None:
        while True:
            try:
                self._producer.produce(RAW_INTERACTIONS.name, value, key, on_delivery=delivered)
            except BufferError:
                self._producer.poll(0.1)
            else:
                self.produced += 1
                return

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed.append(error.str())

    def _spoilt_delivered(self, error: KafkaError | None, message: Message) -> None:
        self._delivered(error, message)
        self.malformed.add(f"{message.topic()}:{message.partition()}:{message.offset()}")


def _event(number: int, at: int, campaign: str, handle: int, wait: int) -> dict[str, Any]:
    return {
        "eventId": f"e-{number}",
        "type": "interaction.completed",
        "timestamp": datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds"),
        "payload": {
            "interactionId": f"i-{number}",
            "campaignId": campaign,
            "handleTime": handle,
            "waitTime": wait,
        },
    }
