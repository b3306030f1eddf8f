"""What the commands about dead letters do: read them, follow them to their frames, replay and discard."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from connectors.kafka.publisher import transactional_config
from connectors.kafka.record_fetcher import At, RecordFetcher
from connectors.kafka.topic_admin import ensure_topics
from connectors.kafka.topic_reader import Start, TopicReader
from connectors.kafka.transactions import TransactionalPublisher
from connectors.settings import KafkaSettings, load
from schemas.envelope import Found, Outgoing
from schemas.topics import DEAD_LETTERS, DEAD_LETTERS_SETTLED
from streams import topology
from streams.core.dead_letters.letter import Choice, Letter, Place, letter
from streams.core.dead_letters.settled import Decision, Ledger, open_letters
from streams.core.dead_letters.way_back import Trace, replay

TRANSACTIONAL_ID = "cxone-dlq"  # one for all: who begins later throws out who was there
AT_A_TIME = 200  # dead letters in one transaction, at most

Settle = Callable[[Sequence[Letter], Ledger], tuple[Counter[str], list[Outgoing]]]


class Box:
    """The dead letters on Kafka, and what was decided of them."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._config = settings.librdkafka()
        self._fetcher: RecordFetcher | None = None

    def ledger(self) -> Ledger:
        """Read what was decided. Raises ConnectorError."""
        ledger = Ledger()
        for found in self._read(DEAD_LETTERS_SETTLED.name):
            ledger.take(found)
        return ledger

    def open(self, choice: Choice, ledger: Ledger, *, parked: bool | None = None) -> list[Letter]:
        """Return the chosen letters that are open, in the order of each partition.

        `parked` True leaves only those that are parked, False only those that are not. Raises ConnectorError.
        """
        chosen = (each for found in self._read(DEAD_LETTERS.name) if choice.has(each := letter(found)))
        return [each for each in open_letters(chosen, ledger) if parked in {None, ledger.is_parked(each)}]

    def fetch(self, places: Iterable[Place]) -> dict[Place, Found]:
        """Return the records that are still there. Raises ConnectorError."""
        if self._fetcher is None:
            self._fetcher = RecordFetcher(self._config)
        wanted = [At(each.topic, each.partition, each.offset) for each in places]
        return {Place(*at): found for at, found in self._fetcher.fetch(wanted).items()}

    def traces(self, letters: Iterable[Letter]) -> list[Trace]:
        """Follow letters to their frames. Raises ConnectorError."""
        traces = [Trace(each, topology.positions_of()) for each in letters]
        while wanted := {trace.wanted for trace in traces if trace.wanted is not None}:
            found = self.fetch(wanted)
            for trace in traces:
                if trace.wanted is not None:
                    trace.take(found.get(trace.wanted))
        return traces

    async def settle(
        self, choice: Choice, settle: Settle, *, parked: bool | None, rate: float, told: Callable[[int], None]
    ) -> Counter[str]:
        """Decide about the chosen letters, at most `rate` of them a second; `told` how many after each transaction.

        What a decision writes is committed with the record that remembers it, so that whatever is killed, none of it
        is done twice: the next run goes on. Raises ConnectorError; of two that run at a time both may end so.
        """
        publisher = TransactionalPublisher(transactional_config(self._config, TRANSACTIONAL_ID))
        try:
            await publisher.start()  # from now on no other run can commit: what it has committed is read below
            ledger = await asyncio.to_thread(self.ledger)
            letters = iter(await asyncio.to_thread(self.open, choice, ledger, parked=parked))
            outcomes: Counter[str] = Counter()
            size = max(1, min(AT_A_TIME, int(rate)))
            while batch := list(islice(letters, size)):
                began = time.monotonic()
                became, records = await asyncio.to_thread(settle, batch, ledger)
                await publisher.publish(records)
                outcomes += became
                told(len(batch))
                await asyncio.sleep(max(0.0, len(batch) / rate - (time.monotonic() - began)))
            return outcomes
        finally:
            await publisher.close()

    def preview(self, choice: Choice, settle: Settle, *, parked: bool | None) -> Counter[str]:
        """Return what would become of the chosen letters. Raises ConnectorError."""
        ledger, outcomes = self.ledger(), Counter[str]()
        letters = iter(self.open(choice, ledger, parked=parked))
        while batch := list(islice(letters, AT_A_TIME)):
            outcomes += settle(batch, ledger)[0]
        return outcomes

    def replaying(self, *, parked_too: bool) -> Settle:
        """Return what replays a batch of letters."""

        def settle(letters: Sequence[Letter], ledger: Ledger) -> tuple[Counter[str], list[Outgoing]]:
            became: Counter[str] = Counter()
            records: list[Outgoing] = []
            for trace in self.traces(letters):
                what, written = replay(trace, ledger, _now(), parked_too=parked_too)
                became[what] += 1
                records += written
            return became, records

        return settle

    def close(self) -> None:
        """Let go of the connections."""
        if self._fetcher is not None:
            self._fetcher.close()

    def _read(self, topic: str) -> Iterator[Found]:
        reader = TopicReader(self._config)
        try:
            yield from reader.read(topic, Start())
        finally:
            reader.close()


def discard(letters: Sequence[Letter], ledger: Ledger) -> tuple[Counter[str], list[Outgoing]]:
    """Discard a batch of letters."""
    written = [ledger.decide(each, Decision.DISCARDED, _now()) for each in letters]
    return Counter({Decision.DISCARDED.value: len(letters)}), written


@contextmanager
def box() -> Iterator[Box]:
    """Open the dead letters. Raises ConfigurationError, and ConnectorError when Kafka does not answer."""
    settings = load(KafkaSettings)
    ensure_topics(settings, (DEAD_LETTERS, DEAD_LETTERS_SETTLED))
    opened = Box(settings)
    try:
        yield opened
    finally:
        opened.close()


def _now() -> int:
    return time.time_ns() // 1_000_000
