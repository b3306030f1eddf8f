"""What the changelog holds of guests: enough for a restart, and little."""

import struct
from dataclasses import replace

import pytest

from streams.stages.rate_limit.stored import LARGEST, Counted, guest_number, pack, unpack
from streams.stages.rate_limit.window import SLICES
from tests.streams.stages.rate_limit.guest_messages import (
    NOW,
    POLICY,
    SECOND,
    WINDOW,
    fold,
    guests,
    message,
    outputs,
    record,
    store,
    topics,
)

HOUR = 3_600 * SECOND
LENGTH = -(-POLICY.reach // SLICES)  # ms, of a slice


def end_of(key: bytes) -> int:
    """Return the end of the slice that a value is stored under."""
    return int(key.partition(b"|")[0].partition(b".")[2])


def test_what_was_counted_is_read_as_it_was_written() -> None:
    counted = [Counted(41, 2**64 - 1, 2**64 - 1, NOW - 3_600_000), Counted(42, 0, None, NOW + 3_600_000)]

    (part,) = pack(counted, NOW, 2**31)

    assert list(unpack(part, NOW, 2**31)) == counted
    assert pack([], NOW, 9) == []


def test_a_message_takes_24_bytes() -> None:
    (part,) = pack([Counted(1, 1, 1, NOW)] * 100, NOW, 9)

    assert len(part) == 1 + 2400


@pytest.mark.parametrize("number", range(4))
def test_a_part_of_version_1_says_nothing_of_conversations(number: int) -> None:
    part = struct.pack(f"<{number}Q{number}i{number}I", *range(1, number + 1), *range(number), *range(number))

    assert list(unpack(part, NOW, 9)) == [Counted(9 - n, n + 1, None, NOW + n) for n in range(number)]


def test_guests_have_numbers_of_their_own() -> None:
    assert len({guest_number(f"guest {n}") for n in range(10_000)}) == 10_000
    assert guest_number("f-1") == guest_number("f-1") < 2**64


def test_a_restart_knows_what_was_sealed_and_what_came_before_it() -> None:
    changelog: dict[bytes, bytes] = {}
    stage = guests()
    fold(stage, *[record(i, message()) for i in range(14)])
    store(changelog, stage.flush(0.0, seal=True).seal)

    stage = guests(changelog)
    fold(stage, record(13, message()), record(14, message(), b"2:3"), record(15, message()), record(16, message()))

    assert topics(stage) == ["admitted", "throttled"]


def test_a_restart_knows_what_conversations_and_all_have_had_of_theirs() -> None:
    policy = replace(POLICY, conversation_limit=2, ceiling=3)
    changelog: dict[bytes, bytes] = {}
    stage = guests(policy=policy)
    fold(stage, *[record(i, message(fingerprint=f"f-{i}")) for i in range(2)])
    store(changelog, stage.flush(0.0, seal=True).seal)

    stage = guests(changelog, policy)
    fold(stage, record(2, message(fingerprint="f-2")))
    fold(stage, *[record(i, message(fingerprint=f"f-{i}", conversation=f"c-{i}")) for i in (3, 4)])

    assert topics(stage) == ["throttled", "admitted", "throttled"]


def test_a_restart_knows_how_late_it_is() -> None:
    # Forgotten, the log time would let the late message count when it was sent, and be admitted.
    changelog: dict[bytes, bytes] = {}
    policy = replace(POLICY, limit=1)
    stage = guests(policy=policy)
    fold(stage, record(0, message()), record(1, message(NOW + 2 * WINDOW, fingerprint="f-2")))
    fold(stage, record(2, message(NOW + WINDOW)))
    store(changelog, stage.flush(0.0, seal=True).seal)
    late = record(3, message(NOW - WINDOW - 1))
    fold(stage, late)
    expected = topics(stage)

    stage = guests(changelog, policy)
    fold(stage, late)

    assert topics(stage) == expected == ["throttled"]


def test_outputs_go_out_before_the_seal_and_once() -> None:
    stage = guests()
    fold(stage, record(0, message()))
    eager = stage.flush(0.0, seal=False)

    sealing = stage.flush(0.0, seal=True)

    assert (len(eager.outputs), eager.state, eager.seal) == (1, [], [])
    assert (sealing.outputs, sealing.state) == ([], [])
    assert len(sealing.seal) == 1


def test_a_seal_without_new_messages_writes_nothing() -> None:
    stage = guests()
    fold(stage, record(0, message()))
    stage.flush(0.0, seal=True)
    fold(stage, record(1, message(), b"2:0"))

    assert not stage.flush(0.0, seal=True)


def test_a_seal_says_how_far_it_reaches_also_when_nothing_counts() -> None:
    changelog: dict[bytes, bytes] = {}
    stage = guests()
    fold(stage, record(0, b"{"))
    store(changelog, stage.flush(0.0, seal=True).seal)

    stage = guests(changelog)

    assert fold(stage, record(0, b"{")) == 0
    assert outputs(stage) == []


def test_what_is_stored_is_the_recent_past_whatever_the_number_of_guests() -> None:
    changelog: dict[bytes, bytes] = {}
    stage, most = guests(), 0
    for second in range(600):
        at = NOW + second * SECOND
        fold(stage, *[record(5 * second + i, message(at, fingerprint=f"{second} {i}")) for i in range(5)])
        store(changelog, stage.flush(0.0, seal=True).seal)
        most = max(most, sum(map(len, changelog.values())))

    seconds = (POLICY.reach + 2 * LENGTH) // SECOND
    assert most <= seconds * (5 * 24 + 110)


def test_what_a_kill_left_of_removals_is_removed_by_the_next_seal() -> None:
    changelog: dict[bytes, bytes] = {}
    stage = guests()
    fold(stage, record(0, message()))
    store(changelog, stage.flush(0.0, seal=True).seal)
    fold(stage, record(1, message(NOW + 10 * WINDOW)))
    store(changelog, stage.flush(0.0, seal=True).seal[:1])
    assert len(changelog) == 2

    stage = guests(changelog)
    fold(stage, record(2, message(NOW + 10 * WINDOW)))
    store(changelog, stage.flush(0.0, seal=True).seal)

    assert len(changelog) == 2
    assert all(end_of(key) > NOW + LENGTH for key in changelog)


def test_a_clock_that_was_set_back_leaves_nothing_stored_of_the_era_before() -> None:
    changelog: dict[bytes, bytes] = {}
    stage, policy = guests(policy=replace(POLICY, limit=1)), replace(POLICY, limit=1)
    for offset in range(4):
        fold(stage, record(offset, message(NOW + HOUR + offset * LENGTH)))
        store(changelog, stage.flush(0.0, seal=True).seal)
    fold(stage, record(4, message(NOW + HOUR + 4 * LENGTH)), record(5, message()))
    fold(stage, record(6, message(NOW + WINDOW + 1)))
    store(changelog, stage.flush(0.0, seal=True).seal)

    assert [end_of(key) - NOW <= 2 * LENGTH for key in changelog] == [True]
    stage = guests(changelog, policy)
    fold(stage, record(7, message(NOW + WINDOW + 2)), record(8, message(NOW + 2 * WINDOW + 2)))
    assert topics(stage) == ["throttled", "admitted"]


def test_a_restart_knows_since_when_arrivals_lie_far_back() -> None:
    changelog: dict[bytes, bytes] = {}
    policy = replace(POLICY, limit=1)
    stage = guests(policy=policy)
    fold(stage, record(0, message(NOW + HOUR)), record(1, message(NOW)))
    store(changelog, stage.flush(0.0, seal=True).seal)

    stage = guests(changelog, policy)
    fold(stage, record(2, message(NOW + WINDOW)), record(3, message(NOW + WINDOW + 1)))

    assert topics(stage) == ["throttled", "admitted"]


def test_a_large_seal_is_written_in_values_that_a_broker_takes_and_read_whole() -> None:
    changelog: dict[bytes, bytes] = {}
    stage = guests(policy=replace(POLICY, limit=1))
    fold(stage, *[record(i, message(fingerprint=f"f-{i}", conversation=f"c-{i}")) for i in range(LARGEST + 1)])
    seal = stage.flush(0.0, seal=True).seal
    store(changelog, seal)

    assert [len(change.value or b"") > 1000 for change in seal] == [True, False]
    assert max(len(value) for value in changelog.values()) < 600_000
    stage = guests(changelog, replace(POLICY, limit=1))
    fold(stage, record(LARGEST + 1, message(fingerprint="f-0")))
    fold(stage, record(LARGEST + 2, message(fingerprint=f"f-{LARGEST}")))
    fold(stage, record(LARGEST + 3, message(fingerprint="new")))
    assert topics(stage) == ["throttled", "throttled", "admitted"]


def test_what_a_suspended_worker_writes_late_is_not_hidden_by_what_its_successor_wrote() -> None:
    # Its seal has a value in each of two slices. Had the successor's first seal used the key of the first one for less,
    # the second would still say that all up to 2 is stored, and message 1 would count no more.
    changelog: dict[bytes, bytes] = {}
    policy = replace(POLICY, limit=2)
    log = [*[record(i, message()) for i in range(2)], record(2, message(NOW + LENGTH, fingerprint="f-2"))]
    suspended, successor = guests(policy=policy), guests(policy=policy)
    fold(suspended, *log)
    fold(successor, log[0])
    store(changelog, suspended.flush(0.0, seal=True).seal)
    store(changelog, successor.flush(0.0, seal=True).seal)

    stage = guests(changelog, policy)
    fold(stage, *log, record(3, message()))

    assert topics(stage) == ["throttled"]
