"""A chain that a kill at any write neither forks nor leaves a hole in."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import Outgoing
from schemas.records.audit import AuditEntry, Tip
from streams.core.audit.chain import GENESIS, HEAD, LONGEST, Chain, entry_hash, follow
from streams.core.audit.chain_check import ChainCheck
from streams.core.contract import Change, Flush
from tests.support.audit_trail import record

ENCODE, DECODE = msgspec.json.encode, msgspec.json.Decoder(AuditEntry).decode


class Broker:
    """What is with the broker; it may be killed between any two writes."""

    def __init__(self) -> None:
        self.stored: dict[bytes, bytes] = {}
        self.topic: list[AuditEntry] = []

    def deliver(self, flush: Flush, *, writes: int) -> int:
        """Write at most so many records of a flush, in order; return how many are left."""
        records: list[Change | Outgoing] = [*flush.state, *flush.outputs, *flush.seal]
        for each in records:
            if writes == 0:
                return 0
            writes -= 1
            if isinstance(each, Outgoing):
                assert (each.topic, each.partition) == ("cxone.dashboard.audit", 3)
                self.topic.append(DECODE(each.value or b""))
            elif each.value is None:
                self.stored.pop(each.key, None)
            else:
                self.stored[each.key] = each.value
        return writes

    def owner(self, generation: int) -> Chain:
        return Chain(3, self.stored, generation=generation, encode=ENCODE)


def verify(topic: Sequence[AuditEntry]) -> ChainCheck:
    check = ChainCheck(3, whole=True)
    for offset, entry in enumerate(topic):
        check.take(entry, f"offset {offset}")
    return check


def test_entries_follow_each_other() -> None:
    broker, flush = Broker(), Flush()
    chain = broker.owner(1)
    chain.add(record(1))
    chain.add(record(2))

    chain.write(flush)
    broker.deliver(flush, writes=99)

    first, second = broker.topic
    assert (first.sequence, first.previous, second.sequence, second.previous) == (1, GENESIS, 2, first.hash)
    assert list(broker.stored) == [HEAD]
    assert msgspec.json.decode(broker.stored[HEAD], type=Tip) == chain.tip
    assert (chain.tip or {}).get("hash") == second.hash == entry_hash(second)


def test_an_entry_goes_before_what_the_flush_has_already() -> None:
    flush = Flush(state=[Change(b"mine", b"1")], seal=[Change(b"mine", b"2")])
    chain = Broker().owner(1)
    chain.add(record(1))

    chain.write(flush)

    assert [change.key for change in flush.state] == [b"audit|1", HEAD, b"mine"]
    assert [change.key for change in flush.seal] == [b"audit|1", b"mine"]


def test_nothing_is_written_when_nothing_was_added() -> None:
    flush = Flush()

    Broker().owner(1).write(flush)

    assert not flush


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 14)), min_size=1, max_size=6))
def test_a_kill_at_any_write_neither_forks_nor_leaves_a_hole(lives: list[tuple[int, int]]) -> None:
    broker, done = Broker(), 0
    for generation, (number, writes) in enumerate(lives, 1):
        chain = broker.owner(generation)
        before = Flush()
        chain.write(before)
        left = broker.deliver(before, writes=writes)
        for each in range(number):
            chain.add(record(done + each))
        flush = Flush(seal=[Change(b"done", b"%d" % (done + number))])
        chain.write(flush)
        broker.deliver(flush, writes=left)
        done = int(broker.stored.get(b"done", b"0"))
    last = Flush()
    broker.owner(len(lives) + 1).write(last)
    broker.deliver(last, writes=99)

    check = verify(broker.topic)

    assert check.finding is None
    tip = broker.stored.get(HEAD)
    assert check.tip == (None if tip is None else msgspec.json.decode(tip, type=Tip))
    assert {each.record.attempt for each in broker.topic} >= {f"a-{number}" for number in range(done)}
    assert {key for key in broker.stored if key not in {HEAD, b"done"}} == set()


def test_what_a_replay_adds_again_is_one_entry() -> None:
    broker, flush = Broker(), Flush()
    first = broker.owner(1)
    first.add(record(1))
    first.write(flush)
    broker.deliver(flush, writes=3)  # killed behind the output, before the seal

    again, flush = broker.owner(2), Flush()
    assert again.again == [record(1)]
    again.add(record(1))
    again.add(record(1, kind="outcome", status="applied"))
    again.write(flush)
    broker.deliver(flush, writes=99)

    assert [(each.sequence, each.record.kind) for each in broker.topic] == [
        (1, "intent"),
        (1, "intent"),
        (2, "outcome"),
    ]
    assert broker.topic[0] == broker.topic[1]
    assert verify(broker.topic).finding is None


def test_two_owners_of_one_head_have_two_epochs() -> None:
    broker, flush = Broker(), Flush()
    chain = broker.owner(1)
    chain.add(record(1))
    chain.write(flush)
    broker.deliver(flush, writes=99)

    zombie, successor = broker.owner(2), broker.owner(3)

    assert 1 == chain.epoch < zombie.epoch < successor.epoch


def test_a_record_whose_text_utf8_cannot_carry_is_made_sayable() -> None:
    entry = follow(None, record(1, error="\ud800" + "x" * 5000), partition=0, epoch=1)

    assert entry.record.error == "?" + "x" * (LONGEST - 1)
    assert DECODE(ENCODE(entry)) == entry


def test_a_number_without_a_canonical_form_is_an_error() -> None:
    with pytest.raises(ValueError, match="not representable"):
        follow(None, record(1, latency_ms=float("nan")), partition=0, epoch=1)
