"""Frames as CXone's web messaging sends them, and what the guests' limit makes of each message."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import orjson
from confluent_kafka import KafkaError, Message, Producer

from schemas.envelope import RECEIVED_AT
from schemas.topics import RAW_MESSAGES

LIMIT, WINDOW = 15, 60_000  # messages, ms: the defaults
ARCHIVED = "archived"  # the queue that the callee is told to refuse
BOTS = 5
FROM_BOTS = 0.10
REDELIVERED = 0.05
MALFORMED = 0.01
ANSWERS = 0.05  # of agents: nothing to route
TALKING = 60  # guests at a time who are no bots

SPOILS: list[Callable[[dict[str, Any]], object]] = [
    lambda frame: frame.pop("conversationId"),
    lambda frame: frame.update(text=5),
    lambda frame: frame.update(timestamp="yesterday"),
]


@dataclass(frozen=True, slots=True)
class Said:
    """What a guest wrote. The number rises with time, and tells it from all others: text and event id end with it."""

    number: int
    conversation: str
    queue: str


@dataclass(slots=True)
class _Guest:
    fingerprint: str | None
    conversations: tuple[str, ...]
    queue: str
    left: float  # messages


class GuestTraffic(threading.Thread):
    """Produces `messages` of guests at `rate` a second; between them redeliveries, agents' answers, malformed frames.

    Bots among the guests write more than they may. Read when it has ended: `admitted`, `throttled` (number -> when the
    next message would be admitted, ms), `malformed` (source positions), `redelivered` (how many).
    """

    def __init__(self, bootstrap: str, *, seed: int, messages: int, rate: float, malformed: float = MALFORMED) -> None:
        """`malformed` is a share."""
        super().__init__(name="guests", daemon=True)
        self.admitted: dict[int, Said] = {}
        self.throttled: dict[int, int] = {}
        self.malformed: set[str] = set()
        self.redelivered = 0
        self._failed: list[str] = []
        self._random = Random(seed)
        self._messages, self._rate, self._malformed = messages, rate, malformed
        self._allowance: defaultdict[str, list[int]] = defaultdict(list)  # guest -> times of admitted messages
        self._bots = [_Guest(f"bot-{n}", (f"b-{n}",), "default", float("inf")) for n in range(BOTS)]
        self._came = 0
        self._people = [self._newcomer() for _ in range(TALKING)]
        self._producer: Any = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 2,
                "message.timeout.ms": 0,
                "log_level": 0,
            }
        )

    def run(self) -> None:
        began = time.monotonic()
        for number in range(self._messages):
            key, frame = self._say(number)
            self._send(key, frame)
            if self._random.random() < REDELIVERED:
                self._send(key, frame)
                self.redelivered += 1
            if self._random.random() < ANSWERS:
                self._send(key, orjson.dumps(orjson.loads(frame) | {"eventId": f"a-{number}", "direction": "outbound"}))
            if self._random.random() < self._malformed:
                self._send(key, self._spoilt(frame), self._spoilt_delivered)
            self._producer.poll(0)
            time.sleep(max(0.0, began + number / self._rate - time.monotonic()))
        while self._producer.flush(1):  # for as long as it takes: it may return early while brokers are away
            pass

    def finish(self, within: float = 300) -> None:
        """Wait until everything is with the broker."""
        self.join(within)
        assert not self.is_alive(), "the guests have not ended"
        assert not self._failed, self._failed[0]

    def _say(self, number: int) -> tuple[str, bytes]:
        bot = self._random.random() < FROM_BOTS
        guests = self._bots if bot else self._people
        at = self._random.randrange(len(guests))
        guest = guests[at]
        guest.left -= 1
        if not guest.left:
            guests[at] = self._newcomer()
        said = Said(number, self._random.choice(guest.conversations), guest.queue)
        key, now = guest.fingerprint or said.conversation, time.time_ns() // 1_000_000
        self._limit(key, said, now)
        frame: dict[str, Any] = {
            "type": "message",
            "direction": "inbound",
            "eventId": f"e-{number}",
            "conversationId": said.conversation,
            "timestamp": now,
            "text": f"message {number}",
            "metadata": {"routing": {"queueId": said.queue}},
        }
        if guest.fingerprint is not None:
            frame["metadata"]["browserFingerprint"] = guest.fingerprint
        return key, orjson.dumps(frame)

    def _limit(self, guest: str, said: Said, now: int) -> None:
        """Apply the rule as it is told: fewer than 15 admitted in the 60 seconds up to now, both ends included."""
        counted = [then for then in self._allowance[guest] if now - then <= WINDOW]
        if len(counted) < LIMIT:
            self._allowance[guest] = [*counted, now]
            self.admitted[said.number] = said
        else:
            self.throttled[said.number] = counted[0] + WINDOW + 1

    def _newcomer(self) -> _Guest:
        self._came += 1
        number, random = self._came, self._random
        return _Guest(
            fingerprint=None if random.random() < 0.05 else f"f-{number}",
            conversations=tuple(f"c-{number}-{n}" for n in range(random.choice((1, 1, 1, 2)))),
            queue=ARCHIVED if random.random() < 0.02 else random.choice(("default", "sales")),
            left=random.randint(1, 12),
        )

    def _spoilt(self, frame: bytes) -> bytes:
        if self._random.random() < 1 / (len(SPOILS) + 1):
            return b"{not json"
        spoilt = orjson.loads(frame) | {"eventId": "spoilt"}
        self._random.choice(SPOILS)(spoilt)
        return orjson.dumps(spoilt)

    def _send(
        self, key: str, value: bytes, delivered: Callable[[KafkaError | None, Message], None] | None = None
    ) -> None:
        headers = [(RECEIVED_AT, b"%d" % (time.time_ns() // 1_000_000))]
        self._producer.produce(RAW_MESSAGES.name, value, key, headers=headers, on_delivery=delivered or self._delivered)

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed.append(error.str())

    def _spoilt_delivered(self, error: KafkaError | None, message: Message) -> None:
        self._delivered(error, message)
        self.malformed.add(f"{message.topic()}:{message.partition()}:{message.offset()}")
