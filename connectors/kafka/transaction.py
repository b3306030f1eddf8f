"""One transaction on a librdkafka producer, and what is done about its errors.

After librdkafka's documentation of the transactional producer:

* a commit that timed out is committed again, never aborted: it may have happened;
* an error that asks for an abort: abort, and go on with the next transaction;
* a fatal error: the producer is of no use any more.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message

from connectors.errors import AbortedError, PublishError
from connectors.kafka.groups import Waiting
from connectors.kafka.publisher import FULL_QUEUE_WAIT, TRANSACTION_TIMEOUT

STEP = 1.0  # seconds of one call: between two, the thread sees whether it is to stop
BLOCKED_AFTER = 3.0  # seconds that a commit may take before readiness tells of it


class BrokenProducer(Exception):
    """Nothing more can be done with a producer; what its last transaction came to is not known."""

    def __init__(self, error: KafkaError) -> None:
        super().__init__(error.str())
        self.fenced = error.code() in {KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH}  # noqa: SLF001 - its name


def serve(producer: Any, seconds: float = 0.0) -> None:
    """Let librdkafka tell what it has to; it raises fatal errors here, too, which the next call raises again."""
    with suppress(KafkaException):
        producer.poll(seconds)


class Transaction:
    """A transaction. Every method blocks, and raises `BrokenProducer`.

    Args:
        producer: initialised, with no other transaction open.
        trouble: is told when Kafka takes long.
        clock: seconds; its zero means nothing.
        closing: whether the program ends: nothing is then waited for longer than a transaction may be open.
    """

    def __init__(
        self,
        producer: Any,
        trouble: Callable[[str], None],
        clock: Callable[[], float],
        closing: Callable[[], bool],
    ) -> None:
        self._producer, self._trouble, self._clock, self._closing = producer, trouble, clock, closing
        self._failures: list[str] = []  # of records

    def commit(self, group: Sequence[Waiting]) -> Exception | None:
        """Write what the group brought and commit it. Returns None, or why it has to be aborted."""
        try:
            self._call(self._producer.begin_transaction)
            for waiting in group:
                self._produce(waiting)
            if any(waiting.before_commit for waiting in group) and self._producer.flush(TRANSACTION_TIMEOUT):
                return AbortedError("Kafka did not take all records in time")
            for waiting in group:
                if waiting.before_commit is not None:
                    waiting.before_commit()
            if any(waiting.given_up for waiting in group):
                return PublishError("given up")
            self._until_answered(self._producer.commit_transaction, "a commit")
        except BrokenProducer:
            raise
        except KafkaException as refused:
            said = self._failures[0] if self._failures else refused.args[0].str()
            return AbortedError(f"the transaction was aborted: {said}")
        except Exception as forbidden:  # noqa: BLE001 - of `before_commit`
            return forbidden
        return None

    def abort(self) -> None:
        """Abort; return when Kafka has done so."""
        try:
            self._until_answered(self._producer.abort_transaction, "an abort")
        except KafkaException as refused:
            raise BrokenProducer(refused.args[0]) from None

    def _produce(self, waiting: Waiting) -> None:
        failures, offsets = self._failures, waiting.offsets

        def placed(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                failures.append(error.str())
            else:
                offsets[message.topic(), message.partition()] = message.offset()

        produce = self._producer.produce
        for record in waiting.records:
            partition = -1 if record.partition is None else record.partition
            while True:
                try:
                    produce(record.topic, record.value, record.key, partition, placed, None, 0, list(record.headers))
                except BufferError:
                    serve(self._producer, FULL_QUEUE_WAIT)
                else:
                    break

    def _until_answered(self, call: Callable[[float], None], what: str) -> None:
        """Call again for as long as Kafka does not answer; raise the error that asks for something else."""
        began = self._clock()
        while True:
            try:
                return self._call(call, STEP)
            except KafkaException as failed:
                error = failed.args[0]
                if error.txn_requires_abort() or not error.retriable():
                    raise
                serve(self._producer)
                waited = self._clock() - began
                if waited >= BLOCKED_AFTER:
                    self._trouble(f"Kafka does not answer {what}")
                if self._closing() and waited >= TRANSACTION_TIMEOUT:
                    raise BrokenProducer(error) from None

    def _call(self, call: Callable[..., None], *arguments: float) -> None:
        try:
            call(*arguments)
        except KafkaException as failed:
            if failed.args[0].fatal():
                raise BrokenProducer(failed.args[0]) from None
            raise
