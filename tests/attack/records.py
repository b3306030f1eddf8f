"""Hostile records on the raw topics, as a connector would write them that hands on everything."""

import asyncio
from collections import Counter
from random import Random

from confluent_kafka import Producer

from schemas.envelope import EVENT_ID, RECEIVED_AT, SOURCE, WEBHOOK_PATH
from schemas.topics import RAW_ANALYTICS, RAW_INTERACTIONS, RAW_MESSAGES, RAW_WEBHOOKS
from tests.attack.frames import NAMES, VALUES
from tests.attack.ways import BOMB, WAYS, Bag

TOPICS = (RAW_INTERACTIONS, RAW_MESSAGES, RAW_WEBHOOKS, RAW_ANALYTICS)
PAUSE = 0.25  # seconds between two: the embedded broker keeps 5 MB of a partition
KINDS = (b"interaction.completed", b"message", b"interaction", b"queue", b"subscribed")
PATHS = (b"/webhook/cxone-data-action", b"/webhook/cxone-dashboard", b"/", b"\xff")

Headers = list[tuple[str, str | bytes | None]]


class Records:
    """Writes to all four topics, each in every way."""

    def __init__(self, bootstrap_servers: str, random: Random) -> None:
        self.done: Counter[tuple[str, str]] = Counter()
        self._producer = Producer({"bootstrap.servers": bootstrap_servers, "log_level": 3})
        self._random = random
        self._ways = {spec.name: Bag(WAYS, random) for spec in TOPICS}
        self._last: dict[str, bytes] = {spec.name: b"{}" for spec in TOPICS}

    async def write(self) -> None:
        """Write until cancelled."""
        while True:
            for topic, ways in self._ways.items():
                way = ways.take()
                value = self._last[topic] if way == "echoed" else self._value(way)
                self._last[topic] = value
                key = self._random.choice((None, b"", b"k", self._random.randbytes(300)))
                self._producer.produce(topic, value=value, key=key, headers=self._headers(way))
                self.done[topic, way] += 1
                await asyncio.sleep(PAUSE)
            self._producer.poll(0)

    def close(self) -> None:
        self._producer.flush(5.0)

    def _value(self, way: str) -> bytes:
        kind = self._random.choice(KINDS)
        match way:
            case "slow":  # to read
                return b'{"type":"%b","text":"%b"}' % (kind, b"\\u0041" * 80_000)
            case "endless":
                return self._random.choice(
                    (
                        b'{"type":"%b","text":"%b"}' % (kind, b"x" * 500_000),
                        b'{"type":"%b","data":[%b0]}' % (kind, b"0," * 200_000),
                        b'{"type":"%b","timestamp":%b}' % (kind, b"9" * 300_000),
                    )
                )
            case "bombed":
                deep = self._random.choice((b"[" * 100_000, b'{"a":' * 50_000, b"[" * 65 + b"]" * 65))
                return self._random.choice((b'{"type":"%b","guest":%b}' % (kind, deep), deep, BOMB))
            case "cut":
                whole = self._mistyped(kind)
                return whole[: self._random.randrange(len(whole))]
        return self._mistyped(kind)

    def _mistyped(self, kind: bytes) -> bytes:
        pairs = [b'"%b":%b' % (name, self._random.choice(VALUES)) for name in NAMES]
        return b'{"type":"%b",%b}' % (kind, b",".join(pairs))

    def _headers(self, way: str) -> Headers:
        if way == "cut":
            return []
        received = self._random.choice((b"1795250460000", b"", b"x", b"-1", b"9" * 400, b"\xff\x00"))
        if way == "slow":
            received = b"0"  # 1970
        return [
            (RECEIVED_AT, received),
            (SOURCE, self._random.choice((b"interactions:1", b"\xff", b"", b"\x1b[2J\n"))),
            (EVENT_ID, self._random.choice((b"e" * 1000, b"\xff", b"e-1"))),
            (WEBHOOK_PATH, self._random.choice(PATHS)),
        ]
