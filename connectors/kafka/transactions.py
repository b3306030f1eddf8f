"""records -> Kafka, all or nothing: whoever waits at the same time shares one transaction.

librdkafka's producers are in a thread of their own: its transactional calls block. (confluent-kafka's AIOProducer
refuses headers and collects records for a second; `produce_batch` drops headers.) While one transaction is committed,
what arrives waits for the next one. A record that comes alone waits for nobody.

After a fatal error, or when another producer took over its transactional id, it begins anew with one new producer. A
second time within a minute under that id ends it: two programs would go on for ever, each throwing out the other.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Never

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer
from prometheus_client import Counter, Gauge, Histogram

from connectors.errors import AbortedError, ConnectorError, FencedError, PublishError
from connectors.kafka.groups import Groups, Waiting
from connectors.kafka.publisher import TRANSACTION_TIMEOUT
from connectors.kafka.refusals import AUTHENTICATION, explained
from connectors.kafka.transaction import STEP, BrokenProducer, Transaction, serve
from schemas.envelope import Outgoing

log = structlog.get_logger(component="transactions")

FENCED_AGAIN = 60.0  # seconds
SHARING = 10_000  # as many as wait: records and bytes bound a transaction

PROCESSED = Counter("cxone_kafka_messages_processed", "Records whose transaction was committed.")
COMMITS = Counter("cxone_kafka_transaction_commits", "Transactions committed.")
ABORTS = Counter("cxone_kafka_transaction_aborts", "Transactions aborted, or lost with their producer.")
LAG = Gauge("cxone_kafka_producer_lag_estimate", "Seconds that the oldest record has waited for its commit.")
GROUP = Histogram(
    "cxone_kafka_transaction_group", "Publishers that shared a transaction.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)


class _Id:
    """A transactional id, and the producer that has it now."""

    def __init__(self, config: Mapping[str, object]) -> None:
        self.config = config
        self.producer: Any = None
        self.replaced_at = -FENCED_AGAIN

    def __str__(self) -> str:
        return str(self.config["transactional.id"])


class TransactionalPublisher:
    """A `Publisher` whose `publish` returns when a transaction with all of the records is committed.

    Args:
        config: of librdkafka, as `transactional_config` returns it.
        new_producer: makes a producer from a configuration.
        clock: seconds; its zero means nothing.
        sharing: publishers in one transaction at most.
        in_turn: producers that take turns, under the ids `<transactional.id>-0`, `-1` and so on; one has the id as it
            is. After a commit Kafka refuses the next transaction of the same id for some milliseconds, until it has
            written to every partition that the last one was committed, and librdkafka asks again after 20 ms.
    """

    def __init__(
        self,
        config: Mapping[str, object],
        *,
        new_producer: Callable[..., Any] = Producer,
        clock: Callable[[], float] = time.monotonic,
        sharing: int = SHARING,
        in_turn: int = 1,
    ) -> None:
        self.blocked: str | None = "not connected yet"  # why nothing can be committed now, for readiness
        self.initialisations = 0
        self._new_producer, self._clock = new_producer, clock
        self._name = str(config["transactional.id"])
        names = [self._name] if in_turn == 1 else [f"{self._name}-{number}" for number in range(in_turn)]
        self._ids = deque(_Id({**config, "transactional.id": name}) for name in names)  # the first is whose turn it is
        self._groups = Groups(sharing)
        self._said: KafkaError | None = None  # what librdkafka told last of its connections
        self._began = asyncio.Event()
        self._thread = threading.Thread(target=self._live, name="transactions", daemon=True)

    async def start(self, within: float = 60.0) -> None:
        """Begin, and return when the first transaction may.

        Raises:
            ConfigurationError: Kafka refuses the credentials or a right is missing: it says which.
            ConnectorError: Kafka does not answer `within` so many seconds.
        """
        self._begin()
        begun: asyncio.Future[Any] = asyncio.ensure_future(self._began.wait())
        await asyncio.wait((begun, self._ended), timeout=within, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if self._ended.done():
            await self._ended
        if not self._began.is_set():
            raise ConnectorError(f"Kafka does not begin transactions of {self._name}: {self._why()}")

    def _begin(self) -> None:
        if self._thread.ident is None:
            self._loop = asyncio.get_running_loop()
            self._ended = self._loop.create_future()
            LAG.set_function(self._lag)
            self._thread.start()

    async def publish(
        self, records: Sequence[Outgoing], before_commit: Callable[[], None] | None = None
    ) -> Mapping[tuple[str, int], int]:
        """Return when a transaction with all of `records` is committed: the last offset in each partition.

        `before_commit` is called, in another thread, when Kafka has the records and before the commit; what it raises
        aborts the transaction, and is raised here. A publish that is cancelled before its transaction has begun never
        happens.

        Raises:
            AbortedError: none of the records will ever be seen by readers of committed records.
            PublishError: the outcome is not known.
        """
        if not records:
            return {}
        self._begin()
        waiting = Waiting(records, before_commit, self._clock())
        self._groups.add(waiting)
        try:
            return await waiting.done
        except asyncio.CancelledError:
            waiting.withdrawn = True
            raise

    def give_up(self) -> None:
        """Abort what is not committed: whoever waits for it gets a PublishError. What follows is published.

        A commit that Kafka has been asked for may happen yet.
        """
        self._groups.give_up()

    @property
    def times_given_up(self) -> int:
        """How often it was given up: whoever writes an aborted transaction again must not, when this has risen."""
        return self._groups.times_given_up

    async def watch(self) -> Never:
        """Raise what ends the publisher: FencedError, ConfigurationError or ConnectorError."""
        await asyncio.shield(self._ended)
        raise ConnectorError("the publisher was closed")

    async def close(self, within: float = 10.0) -> None:
        """Commit what waits, as far as it can be done `within` so many seconds; then let go of Kafka."""
        self._groups.close()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, within)

    # The thread

    def _live(self) -> None:
        failure: Exception | None = None
        try:
            for each in self._ids:
                self._renew(each)
            if not self._groups.closed:
                self._tell(self._began.set)
            while group := self._groups.take():
                self._settle(group, self._carry_out(group))
                self._ids.rotate(-1)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
            failure = error
        self.blocked = str(failure) if failure else "closed"
        self._settle(self._groups.close(), AbortedError(f"not begun: {self.blocked}"))
        self._tell(self._end, failure)

    def _carry_out(self, group: list[Waiting]) -> Exception | None:
        """Commit one transaction; return why it was not."""
        began = self._clock()
        GROUP.observe(len(group))
        try:
            failure = self._commit(group)
        except BrokenProducer as broken:
            ABORTS.inc()
            self._settle(group, PublishError(f"the outcome is not known: {broken}"))
            lapsed = self._clock() - began >= TRANSACTION_TIMEOUT  # then it was Kafka that gave the transaction up
            self._replace(self._ids[0], broken, lapsed=lapsed)
            return None
        if failure is not None and self.blocked is not None:
            self._await_kafka()
        self.blocked = None
        if failure is None:
            COMMITS.inc()
            PROCESSED.inc(sum(len(waiting.records) for waiting in group))
        return failure

    def _commit(self, group: list[Waiting]) -> Exception | None:
        transaction = Transaction(self._ids[0].producer, self._trouble, self._clock, lambda: self._groups.closed)
        failure = transaction.commit(group)
        if failure is not None:
            self._settle(group, failure)  # what is never committed is never seen: no need to wait for the abort
            transaction.abort()
            ABORTS.inc()
        return failure

    def _await_kafka(self) -> None:
        """Return when Kafka answers.

        That a transaction is aborted says nothing of it: of one that has written nothing yet, librdkafka asks nobody.
        Who comes while Kafka is away would be let in, to wait and to be refused.
        """
        producer = self._ids[0].producer
        while not self._groups.closed:
            try:
                producer.list_topics(timeout=STEP)
            except KafkaException:
                serve(producer, STEP / 10)
            else:
                return

    def _trouble(self, what: str) -> None:
        self.blocked = f"{what} ({self._why()})"

    def _replace(self, held: _Id, broken: BrokenProducer, *, lapsed: bool) -> None:
        now = self._clock()
        if not lapsed:
            if now - held.replaced_at < FENCED_AGAIN:
                cause = "another program uses it" if broken.fenced else str(broken)
                raise FencedError(f"transactional id {held}: its producer failed twice in a minute: {cause}")
            held.replaced_at = now
        log.warning("beginning anew with Kafka", transactional_id=str(held), reason=str(broken))
        self.blocked = f"beginning anew with Kafka: {broken}"
        self._renew(held)

    def _renew(self, held: _Id) -> None:
        if held.producer is not None:
            held.producer.purge()
        held.producer = self._new_producer(
            {**held.config, "error_cb": lambda error: setattr(self, "_said", error)},
            logger=logging.getLogger("librdkafka"),
        )
        while not self._groups.closed:
            try:
                held.producer.init_transactions(STEP)
            except KafkaException as failed:
                serve(held.producer)
                if self._said is not None and self._said.code() == AUTHENTICATION and not self._began.is_set():
                    raise explained(self._said, held.config) from None
                if not failed.args[0].retriable():
                    raise explained(failed.args[0], held.config) from None
            else:
                self.initialisations += 1
                self.blocked = None
                return

    def _why(self) -> str:
        return self._said.str() if self._said is not None else "no answer"

    def _lag(self) -> float:
        since = self._groups.oldest
        return 0.0 if since is None else self._clock() - since

    def _settle(self, group: Sequence[Waiting], failure: Exception | None) -> None:
        def settle() -> None:
            for waiting in group:
                waiting.settle(failure)

        if group:
            self._tell(settle)

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what, *arguments)

    def _end(self, failure: Exception | None) -> None:
        if failure is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(failure)
            self._ended.exception()  # whoever watches hears of it; nobody has to
