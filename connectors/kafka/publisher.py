"""records -> Kafka. At-least-once, in order per key; returns when the broker has acknowledged everything.

One class for connectors and stages, over librdkafka: idempotent, acks=all, and Java's partitioner (librdkafka's own
default hashes keys differently and would break co-partitioning).
"""

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connectors.errors import PublishError, TimedOutError
from connectors.kafka.refusals import what_is_missing
from schemas.envelope import Outgoing

NOW = 0  # as librdkafka's time of a record
FULL_QUEUE_WAIT = 0.01  # seconds before another try to queue a record
SLICE = 0.005  # seconds of queueing after which everything else on the loop has its turn
LOOK_EVERY = 64  # records between two looks at the clock
IDLE_SECONDS = 5.0  # between two looks at what librdkafka says while nobody publishes
PURGE_SECONDS = 1.0  # at most: nothing is waited for but librdkafka's own threads

# What is said of a batch whose topic takes no record with so old a time: if one of its records is, of all of them; if
# several are, of those, and of the others.
TOO_OLD = {
    KafkaError.INVALID_TIMESTAMP,
    KafkaError.INVALID_RECORD,
    KafkaError._INVALID_DIFFERENT_RECORD,  # noqa: SLF001 - that is its name
}
# What Kafka acknowledges without a place, as the first of a producer in a partition, it has not (KAFKA-15591): the
# partition was so new that it refused the first request and took the second, and then held the first for a duplicate.
# Elsewhere that is said of a record whose acknowledgement was lost, and which is there.
NOT_KEPT = "it was the first record for a partition that was not ready, and Kafka has only kept what followed"
WHY = ". It was on its way for too long, or this machine's clock is behind Kafka's: see `cxone-streams doctor`"

DEFAULTS: dict[str, object] = {
    "enable.idempotence": True,
    "acks": "all",
    "partitioner": "murmur2_random",
    "compression.type": "lz4",
    "linger.ms": 0,  # who publishes hands over all there is and waits: 0.6 ms for one record, with 5 it is 5.8
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 131_072,
    "message.max.bytes": 2_000_000,
    # For ever: a record that timed out while later ones of its key arrived would leave a hole that a reader who
    # remembers positions takes for a replay. An outage is waited out; what waits is not acknowledged.
    "message.timeout.ms": 0,
    "log_level": 3,
}

TRANSACTION_TIMEOUT = 10.0  # seconds after which Kafka aborts what a killed process left open, and readers go on


def transactional_config(config: Mapping[str, object], transactional_id: str) -> dict[str, object]:
    """Return librdkafka's configuration for transactions under `transactional_id`; `config` has the connection."""
    return {
        **DEFAULTS,
        "transactional.id": transactional_id,
        "transaction.timeout.ms": int(1000 * TRANSACTION_TIMEOUT),
        "message.timeout.ms": int(800 * TRANSACTION_TIMEOUT),  # must not outlive the transaction
        "reconnect.backoff.max.ms": 1000,  # ten times less than usual: service soon after Kafka's return
        **config,
    }


class Publisher(Protocol):
    """Publishes records in order."""

    async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]:
        """Return when the broker has acknowledged all of `records`; raise `PublishError` if it refused one.

        Returns the last offset by topic and partition.
        """

    async def close(self) -> None:
        """Give up what is not delivered yet and let go of the connection."""


Written = defaultdict[str, set[int]]  # topic -> partitions in which records of a producer are


class _Batch:
    """What one `publish` waits for. `delivered` runs in the polling thread."""

    __slots__ = ("_config", "_done", "_last", "_left", "_loop", "_stamped", "_written", "error", "hint", "timed_out")

    def __init__(
        self,
        size: int,
        loop: asyncio.AbstractEventLoop,
        config: Mapping[str, object],
        written: "Written",
        *,
        stamped: bool,
    ) -> None:
        self._config, self._written = config, written
        self._stamped = stamped
        self._left = size
        self._loop = loop
        self._done = asyncio.Event()
        self._last: dict[str, dict[int, Any]] = {}  # topic -> partition -> the message that was delivered last
        self.error: str | None = None
        self.hint = ""
        self.timed_out = True  # every record that failed

    def delivered(self, topic: str) -> Callable[[KafkaError | None, Message], None]:
        """Return what is called with each message of `topic`: little, since it is so for every record."""
        last, written = self._last.setdefault(topic, {}), self._written[topic]

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                if message.offset() is None and message.partition() not in written:
                    self.error, self.timed_out = self.error or NOT_KEPT, False
                last[message.partition()] = message
            else:
                self.error = self.error or what_is_missing(error, self._config) or error.str()
                if self._stamped and error.code() in TOO_OLD:
                    self.hint = WHY
                elif error.code() != KafkaError._MSG_TIMED_OUT:  # noqa: SLF001 - that is its name
                    self.timed_out = False
            self._left -= 1
            if self._left == 0 and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._done.set)

        return delivered

    @property
    def offsets(self) -> dict[tuple[str, int], int]:
        return {
            (topic, partition): message.offset()
            for topic, messages in self._last.items()
            for partition, message in messages.items()
        }

    @property
    def clock(self) -> int:
        """The latest of the times that the log gave the last records."""
        latest: int = max(message.timestamp()[1] for messages in self._last.values() for message in messages.values())
        return latest

    async def wait(self) -> None:
        await self._done.wait()
        if self.error is not None:
            if self.timed_out:
                raise TimedOutError(f"Kafka has not taken a record in time: {self.error}{self.hint}")
            raise PublishError(f"Kafka refused a record: {self.error}")
        for topic, messages in self._last.items():
            self._written[topic].update(messages)


class KafkaPublisher:
    """Publisher over confluent-kafka.

    `config` is librdkafka's (at least `bootstrap.servers`). The queue is bounded: while it is full, or Kafka is away,
    `publish` waits. A refused record makes `publish` raise; what followed it may have been delivered, so the caller
    must stop without acknowledging.

    `stamp` is called right before each record is queued: what it returns is the record's time, in ms since the epoch;
    what it raises ends `publish`. Asked once for all of them, a process that is suspended while it queues would send
    the rest when it goes on, however late that is. Without, a record's time is that at which it is queued.

    `clock` is the time that the log gave one of the last records: the broker's, where the topic says LogAppendTime.
    """

    def __init__(self, config: Mapping[str, object], stamp: Callable[[], int] | None = None) -> None:
        self.clock = 0  # ms since the epoch
        self._stamp = stamp
        self._config = {**DEFAULTS, **config}
        self._producer = self._new_producer()
        self._written: Written = defaultdict(set)
        self._fatal: KafkaError | None = None  # after which librdkafka takes and delivers nothing
        self._open = True
        self._publishing = 0
        self._awake = threading.Event()  # somebody publishes, or it is the end
        self._polling = threading.Thread(target=self._poll, name="publisher", daemon=True)
        self._polling.start()

    def _new_producer(self) -> Any:
        return Producer(self._config, logger=logging.getLogger("librdkafka"))

    def _poll(self) -> None:
        while self._open:
            self._awake.wait(IDLE_SECONDS)  # what nobody publishes by costs nothing
            try:
                self._producer.poll(0.1 if self._awake.is_set() else 0)
            except KafkaException as fatal:
                self._fatal = fatal.args[0]
                self._producer.purge()  # nothing of it is delivered any more: whoever waits hears with the next poll

    async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]:
        if not records:
            return {}
        self._publishing += 1
        self._awake.set()
        try:
            return await self._publish(records)
        finally:
            self._publishing -= 1
            if self._open and not self._publishing:
                self._awake.clear()

    async def _publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]:
        loop, stamped = asyncio.get_running_loop(), self._stamp is not None
        batch = _Batch(len(records), loop, self._config, self._written, stamped=stamped)
        producer, produce, stamp = self._producer, self._producer.produce, self._stamp
        callbacks = {topic: batch.delivered(topic) for topic in {record.topic for record in records}}
        until = perf_counter() + SLICE
        for first in range(0, len(records), LOOK_EVERY):
            if perf_counter() >= until:  # many take long: others have their turn
                await asyncio.sleep(0)
                self._check_not_given_up(producer)
                until = perf_counter() + SLICE
            for record in records[first : first + LOOK_EVERY]:
                topic, delivered = record.topic, callbacks[record.topic]
                partition = -1 if record.partition is None else record.partition
                while True:
                    at = stamp() if stamp else NOW
                    try:
                        # By position: names take a fifth of the call. None: another callback.
                        produce(topic, record.value, record.key, partition, delivered, None, at, [*record.headers])
                    except BufferError:
                        await asyncio.sleep(FULL_QUEUE_WAIT)
                        self._check_not_given_up(producer)
                    except KafkaException as refused:
                        raise self._ended or PublishError(f"cannot publish to {record.topic}: {refused}") from refused
                    else:
                        break
        try:
            await batch.wait()
        except PublishError as failed:
            raise self._ended or failed from None
        self.clock = max(self.clock, batch.clock)
        return batch.offsets

    def _check_not_given_up(self, producer: Any) -> None:
        if producer is not self._producer:
            raise PublishError("given up") from None

    @property
    def _ended(self) -> PublishError | None:
        if self._fatal is None:
            return None
        why = what_is_missing(self._fatal, self._config) or self._fatal.str()
        return PublishError(f"Kafka takes nothing any more: {why}")

    def give_up(self) -> None:
        """Drop what is not delivered: whoever waits for it gets a `PublishError`. What follows is published.

        What was already sent may have arrived, or arrive still.
        """
        if len(self._producer) == 0:
            return
        dropped, self._producer = self._producer, self._new_producer()  # a new one: its sequence begins anew
        self._fatal, self._written = None, defaultdict(set)
        dropped.purge()
        dropped.flush(PURGE_SECONDS)  # calls those who wait

    async def close(self) -> None:
        self._open = False
        self._awake.set()
        await asyncio.to_thread(self._polling.join)
        self._producer.purge()
        self._producer.poll(0)
