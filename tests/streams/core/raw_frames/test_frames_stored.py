"""What the changelog holds of frames: enough for a restart, and little."""

import sys
from dataclasses import replace

from schemas.envelope import EVENT_ID, SOURCE_POSITION
from streams.core.contract import Flush
from streams.core.raw_frames.frames import Frames
from tests.streams.core.raw_frames.raw_frames import HORIZON, NOW, READING, SLICE, completed, fold, frames, raw, store


def test_a_restart_knows_what_was_sealed() -> None:
    changelog: dict[bytes, bytes] = {}
    stage = frames()
    fold(stage, raw(1, completed("a")), raw(2, completed("b"), at=NOW + SLICE))
    store(changelog, stage.flush(0.0, seal=True))

    stage = frames(changelog)
    fold(stage, raw(2, completed("b")), raw(3, completed("a")), raw(4, completed("b")), raw(5, completed("c")))

    assert [dict(output.headers)[SOURCE_POSITION] for output in stage.flush(0.0, seal=False).outputs] == [b"4:5"]


def test_outputs_go_out_before_the_seal_and_once() -> None:
    stage = frames()
    fold(stage, raw(1, completed("a")))
    eager = stage.flush(0.0, seal=False)

    sealing = stage.flush(0.0, seal=True)

    assert (len(eager.outputs), eager.state, eager.seal) == (1, [], [])
    assert (sealing.outputs, sealing.state) == ([], [])
    assert sealing.seal


def test_many_seals_of_a_slice_leave_few_values_and_forget_nothing() -> None:
    changelog: dict[bytes, bytes] = {}
    stage = frames()
    for offset in range(1000):
        fold(stage, raw(offset, completed(f"id-{offset}")))
        store(changelog, stage.flush(0.0, seal=True))

    stage = frames(changelog)
    fold(stage, *(raw(1000 + offset, completed(f"id-{offset}")) for offset in range(1000)))

    assert len(changelog) <= 66
    assert stage.flush(0.0, seal=False).outputs == []


def test_a_seal_without_new_frames_writes_nothing() -> None:
    stage = frames()
    fold(stage, raw(1, completed("a")))
    stage.flush(0.0, seal=True)

    assert not stage.flush(0.0, seal=True)


def test_fingerprints_of_a_seal_that_a_kill_cut_off_are_not_lost_by_the_next() -> None:
    # 1 and 2 fall into one slice, 3 into the next: the kill comes between what is stored of the two. The seal after it
    # covers less, and must not go over what is there.
    changelog: dict[bytes, bytes] = {}
    log = [raw(offset, completed(event_id)) for offset, event_id in enumerate("zab")]
    log.append(raw(3, completed("c"), at=NOW + SLICE))
    stage = frames()
    fold(stage, log[0])
    store(changelog, stage.flush(0.0, seal=True))
    fold(stage, *log[1:])
    killed = stage.flush(0.0, seal=True)
    store(changelog, Flush(seal=killed.seal[:1]))

    stage = frames(changelog)
    fold(stage, log[1])
    store(changelog, stage.flush(0.0, seal=True))
    stage = frames(changelog)
    fold(stage, *log[2:], raw(4, completed("a"), at=NOW + SLICE))

    published = [dict(output.headers)[EVENT_ID] for output in stage.flush(0.0, seal=True).outputs]
    assert b"a" not in published


def test_a_seal_that_a_kill_cut_off_forgets_nothing_before_its_time() -> None:
    # What it wrote is of later slices than the frames that come again: known, they would push out the slice of "z".
    changelog: dict[bytes, bytes] = {}
    log = [
        raw(0, completed("z")),
        raw(1, completed("z"), at=NOW + 3 * SLICE),
        *(raw(2 + i, completed(event_id), at=NOW + (3 + i) * SLICE) for i, event_id in enumerate("abc")),
    ]
    stage = frames()
    fold(stage, log[0])
    store(changelog, stage.flush(0.0, seal=True))
    fold(stage, *log[1:])
    store(changelog, Flush(seal=stage.flush(0.0, seal=True).seal[:2]))

    stage = frames(changelog)
    fold(stage, *log[1:])

    published = [dict(output.headers)[EVENT_ID] for output in stage.flush(0.0, seal=True).outputs]
    assert published == [b"a", b"b", b"c"]


def test_a_quiet_partition_with_nothing_but_control_frames_stores_no_more_as_time_goes_by() -> None:
    changelog: dict[bytes, bytes] = {}
    stage = frames()
    for i in range(100):
        fold(stage, raw(i, {"type": "heartbeat"}, at=NOW + i * SLICE))
        store(changelog, stage.flush(0.0, seal=True))

    assert len(changelog) < 10


def test_the_changelog_takes_eight_bytes_an_id() -> None:
    stage = frames()
    fold(stage, *(raw(i, completed(f"e-{i}")) for i in range(10_000)))

    stored = sum(len(change.key) + len(change.value or b"") for change in stage.flush(0.0, seal=True).seal)

    assert 80_000 <= stored < 80_200


def test_no_stored_value_is_larger_than_a_broker_takes() -> None:
    stage = Frames(4, {}, horizon=HORIZON, reading=replace(READING, encode=lambda _: b""))
    fold(stage, *(raw(i, completed(f"e-{i}")) for i in range(132_000)))

    sizes = [len(change.value or b"") for change in stage.flush(0.0, seal=True).seal]

    assert max(sizes) < 1_000_000 < sum(sizes)


def test_an_event_id_costs_about_a_hundred_bytes_of_memory() -> None:
    stage = frames()
    fold(stage, *(raw(i, completed(f"e-{i}")) for i in range(20_000)))

    remembered = list(stage._seen._slices.values())
    used = sum(sys.getsizeof(numbers) + sum(map(sys.getsizeof, numbers)) for numbers in remembered)

    assert 60 <= used / 20_000 <= 160
