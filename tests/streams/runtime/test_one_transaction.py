"""A flush is one transaction, committed while the lease is held."""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.errors import AbortedError, PublishError
from schemas.envelope import Outgoing
from streams.core.contract import Change, Flush
from streams.runtime import one_transaction
from streams.runtime.errors import SuspendedError
from streams.runtime.lease import Lease
from streams.runtime.one_transaction import TransactionalState

FLUSH = Flush(state=[Change(b"s", b"1")], outputs=[Outgoing("out", b"k", b"v")], seal=[Change(b"z", b"2")])


class Data(dict[bytes, bytes]):
    def __init__(self) -> None:
        super().__init__()
        self.persisted: dict[Any, int] = {}

    def set_persisted_offset(self, tp: Any, offset: int) -> None:
        self.persisted[tp] = offset


class Table:
    changelog_topic_name = "changelog"

    def __init__(self) -> None:
        self.data = Data()
        recovery = SimpleNamespace(kept=lambda *_kept: None)
        self.app = SimpleNamespace(tables=SimpleNamespace(recovery=recovery))


class Transactions:
    """Commits as Kafka would; `failures` are raised first, `slow` happens while Kafka takes the records."""

    def __init__(self, *failures: Exception) -> None:
        self.committed: list[list[Outgoing]] = []
        self.failures = list(failures)
        self.times_given_up = 0
        self.slow: Callable[[], None] = lambda: None

    async def publish(
        self, records: Sequence[Outgoing], before_commit: Callable[[], None] | None = None
    ) -> Mapping[tuple[str, int], int]:
        self.slow()
        if before_commit is not None:
            before_commit()
        if self.failures:
            raise self.failures.pop(0)
        self.committed.append(list(records))
        return {(each.topic, each.partition): 7 for each in records if each.partition is not None}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_transaction, "AGAIN_AFTER", 0)


def state(transactions: Transactions, clock: Clock) -> tuple[TransactionalState, Table]:
    table = Table()
    made = TransactionalState(table, transactions, Lease(10.0, clock))
    made.load({3}, 1)
    return made, table


async def test_what_a_flush_has_is_in_one_transaction() -> None:
    transactions = Transactions()
    made, table = state(transactions, Clock())

    await made.deliver({3: FLUSH})

    (records,) = transactions.committed
    assert {(each.topic, each.value, each.partition) for each in records} == {
        ("changelog", b"1", 3),
        ("changelog", b"2", 3),
        ("out", b"v", None),
    }
    assert set(table.data.values()) == {b"1", b"2"}
    assert list(table.data.persisted.values()) == [7]


async def test_what_was_aborted_is_written_again() -> None:
    transactions = Transactions(AbortedError("no"), AbortedError("no"))
    made, _ = state(transactions, Clock())

    await made.deliver({3: FLUSH})

    assert len(transactions.committed) == 1


async def test_what_was_given_up_meanwhile_is_not_written_again() -> None:
    transactions = Transactions(AbortedError("no"))
    made, _ = state(transactions, Clock())
    transactions.slow = lambda: setattr(transactions, "times_given_up", 1)

    with pytest.raises(PublishError, match="given up"):
        await made.deliver({3: FLUSH})

    assert transactions.committed == []


async def test_an_unknown_outcome_is_not_written_again() -> None:
    transactions = Transactions(PublishError("who knows"))
    made, table = state(transactions, Clock())

    with pytest.raises(PublishError, match="who knows"):
        await made.deliver({3: FLUSH})

    assert transactions.committed == []
    assert table.data == {}


async def test_a_lease_that_ends_on_the_way_forbids_the_commit() -> None:
    transactions, clock = Transactions(), Clock()
    made, table = state(transactions, clock)
    transactions.slow = lambda: setattr(clock, "now", 11.0)

    with pytest.raises(SuspendedError):
        await made.deliver({3: FLUSH})

    assert transactions.committed == []
    assert table.data == {}
