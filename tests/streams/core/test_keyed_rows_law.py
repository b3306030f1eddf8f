"""The law of keyed rows, for a stage of a few lines: killed anywhere, its rows are those of a plain reading."""

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import count as numbers
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from schemas.avro import Codec
from schemas.dead_letters import DEAD_REASON
from schemas.envelope import SOURCE_POSITION, Consumed
from schemas.records import InteractionCompleted
from schemas.releases import FileSchemaIds
from streams.core.contract import Change, Chunk
from streams.core.keyed_rows import META, TIME, TOO_LATE, UNSEALED, KeyedRows
from streams.core.steps import Steps
from streams.core.windows.watermark import RawProgress, Watermark
from tests.streams.core.skills import CAMPAIGN_SKILLS, DAY, DECLARATION, HOUR, Skill, Skills
from tests.support.kill_law import START, Broker, Kill, KillLaw, Step, dead_offsets, steps, upserts

CODEC = Codec(FileSchemaIds())
decode, encode = CODEC.decoder(InteractionCompleted), CODEC.encoder(InteractionCompleted)
MS = int(START * 1000)
LIVES = numbers(1)


def made(
    kind: type[Any], stored: dict[bytes, bytes], life: int | None = None, rows: float | None = None
) -> KeyedRows[Any, str, Skill]:
    core: KeyedRows[Any, str, Skill] = kind(
        0,
        stored,
        rule=Skills(decode),
        time=Watermark(0, RawProgress()),
        life=next(LIVES) if life is None else life,
        rows=rows,
    )
    return core


LAW = KillLaw(partial(made, KeyedRows), topic=DECLARATION.reads.name, eager=True)


@st.composite
def logs(draw: st.DrawFn) -> list[Consumed]:
    """Interactions of two raw partitions, some published twice by a killed stage before, some that nobody can read."""
    steps_ = st.tuples(
        st.integers(0, 1),
        st.sampled_from("abc"),
        st.integers(0, 5) | st.integers(-40, 60) | st.integers(-250, 0),  # hours after or before the latest so far
        st.sampled_from([1.0, 60.0, 300.0]),
        st.sampled_from([False] * 9 + [True]),
    )
    offsets, reached, log = {0: 0, 1: 0}, 0, list[Consumed]()
    for raw, campaign, hours, duration, broken in draw(st.lists(steps_, min_size=4, max_size=30)):
        reached += max(hours, 0)
        at = MS + (reached + min(hours, 0)) * HOUR
        content = b"{" if broken else encode(InteractionCompleted(None, campaign, duration, 1.0, at))
        log.append(Consumed(0, content, b"k", ((SOURCE_POSITION, b"%d:%d" % (raw, offsets[raw])),)))
        offsets[raw] += 1
    for at, count in draw(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), max_size=2)):
        log[at:at] = log[max(0, at - count) : at]
    return [Consumed(offset, each.value, each.key, each.headers) for offset, each in enumerate(log)]


def plain_reading(broker: Broker) -> dict[bytes, dict[str, float]]:
    """Return the rows of all that is no dead letter, each source position once."""
    dead = dead_offsets(broker.published)
    seen = {dict(broker.log[offset].headers)[SOURCE_POSITION] for offset in dead}
    campaigns: dict[bytes, list[InteractionCompleted]] = defaultdict(list)
    for record in broker.log:
        source = dict(record.headers)[SOURCE_POSITION]
        if source not in seen:
            seen.add(source)
            found = decode(record.value or b"")
            campaigns[found.campaign_id.encode()].append(found)
    rows = {}
    for campaign, all_ in campaigns.items():
        newest = max(each.completed_at // HOUR for each in all_)
        last = [each for each in all_ if each.completed_at // HOUR > newest - DAY // HOUR]
        rows[campaign] = {"count": len(last), "longest": max(each.handle_time for each in last)}
    return rows


def rows(broker: Broker) -> dict[bytes | None, dict[str, float]]:
    return {
        key: msgspec.json.decode(row or b"") for key, row in upserts(broker.published, CAMPAIGN_SKILLS.name).items()
    }


def check(broker: Broker) -> None:
    assert rows(broker) == plain_reading(broker)
    late = [each for each in broker.published if dict(each.headers).get(DEAD_REASON) == TOO_LATE.encode()]
    for letter in late:
        assert decode(letter.value or b"").completed_at < max(
            decode(each.value or b"").completed_at for each in broker.log if each.value != b"{"
        )


def test_a_life_begins_with_the_seal_and_the_event_time_that_it_found() -> None:
    # Both come under its epoch: what an earlier worker had queued of either, and comes late, counts for nothing then.
    found = {META: b'{"flush":7,"time":{"reached":5,"log_time":5,"taken":0}}', TIME: b'{"reached":9}'}
    core = made(KeyedRows, found)
    content = encode(InteractionCompleted(None, "a", 1.0, 1.0, MS))
    core.fold(Chunk(DECLARATION.reads.name, 0, [Consumed(1, content, b"k", ((SOURCE_POSITION, b"0:1"),))]))

    first, second = core.flush(START).state, core.flush(START).state

    assert [(change.key, change.value) for change in first[:2]] == list(found.items())
    assert second == []


@settings(max_examples=400, deadline=None)
@given(logs(), steps(eager=True))
def test_kills_at_any_moment_leave_the_rows_of_a_plain_reading(log: list[Consumed], script: list[Step]) -> None:
    broker = LAW.run(log, script)

    event(f"kills: {min(sum(step.kill is not None for step in script), 4)}")
    event(f"dead letters: {min(len(dead_offsets(broker.published)), 3)}")
    check(broker)


@pytest.fixture(name="log")
def _log() -> list[Consumed]:
    """Campaigns, two raw partitions, a replay of three, and one that nobody can read."""
    events = [(0, "a", 0), (1, "b", 1), (0, "a", 2), (0, "b", 30), (1, "a", 3), (0, "a", 250), (1, "c", 251)]
    offsets = {0: 0, 1: 0}
    log = []
    for raw, campaign, hour in events:
        content = encode(InteractionCompleted(None, campaign, float(hour), 1.0, MS + hour * HOUR))
        log.append((content, raw, offsets[raw]))
        offsets[raw] += 1
    log[5:5] = log[2:5]
    log.append((b"{", 1, offsets[1]))
    return [
        Consumed(n, content, b"k", ((SOURCE_POSITION, b"%d:%d" % (r, o)),)) for n, (content, r, o) in enumerate(log)
    ]


def test_a_kill_at_each_single_write_leaves_the_rows_of_a_plain_reading(log: list[Consumed]) -> None:
    runs = 0
    for broker in LAW.at_every_write(log, fold=2, meanwhile=1):
        check(broker)
        runs += 1

    assert runs > 40


@settings(max_examples=300, deadline=None)
@given(log=logs(), script=steps(eager=True), folded=st.integers(0, 20), before=steps(eager=True), seal=st.booleans())
def test_what_a_suspended_worker_had_queued_counts_nothing_twice(
    log: list[Consumed], script: list[Step], folded: int, before: list[Step], *, seal: bool
) -> None:
    check(LAW.with_late_writes(log, script, folded, before, seal=seal))


def kills_after_kills(law: KillLaw, log: list[Consumed]) -> Iterator[Broker]:
    """Yield what survives of three lives: each of the first two ends at some write, the second soon after the first."""
    for first, second in product(range(9), range(9)):
        for folded in (1, 3):
            script = [
                Step(2),
                Step(3, kill=Kill(first, arrived=0)),
                Step(folded, kill=Kill(second, arrived=0)),
                Step(1),
            ]
            yield law.run(log, script)


def test_a_second_kill_before_all_has_come_again_leaves_the_rows_of_a_plain_reading(log: list[Consumed]) -> None:
    for broker in kills_after_kills(LAW, log):
        check(broker)


def test_what_a_kill_left_is_gone_once_all_has_come_again(log: list[Consumed]) -> None:
    for broker in kills_after_kills(LAW, log):
        life = LAW.life(broker)
        life.fold(len(log))
        life.flush(Step(0))
        assert len([key for key in broker.changelog if key[:1] == UNSEALED]) <= 1, "of the last life alone"


def test_a_core_that_lets_go_of_positions_too_early_breaks_the_law(log: list[Consumed]) -> None:
    class Early(KeyedRows[InteractionCompleted, str, Skill]):
        def _reached(self) -> list[Change]:
            return [Change(b"%b%d" % (UNSEALED, life), None) for life in self._left]

    law = KillLaw(partial(made, Early), topic=DECLARATION.reads.name)

    with pytest.raises(AssertionError):
        list(map(check, kills_after_kills(law, log)))


def test_seals_that_are_left_to_the_next_flush_leave_the_changelog_as_it_was(log: list[Consumed]) -> None:
    """Each is written after its rows and before the next state, and none is left over.

    Only the positions of a flush stay for one more, while its seal may come late.
    """

    def alone(change: Change) -> Change:
        unsealed = msgspec.json.decode(change.value or b"{}")
        unsealed.pop("before", None)
        return Change(change.key, msgspec.json.encode(unsealed))

    written: list[list[Change]] = []
    for seal in (True, False):
        core, changes = made(KeyedRows, {}, life=1), list[Change]()
        for number in range(len(log)):
            core.fold(Chunk(DECLARATION.reads.name, 0, log[number : number + 1]))
            flush = core.flush(START + number, seal=seal or number == len(log) - 1)
            assert seal or number == len(log) - 1 or not flush.seal
            all_ = [*flush.state, *flush.seal]
            changes += [alone(each) if each.key[:1] == UNSEALED else each for each in all_]
        assert not core.flush(START + len(log), seal=True)
        written.append(changes)

    assert written[0] == written[1]


BOUNDED = KillLaw(partial(made, KeyedRows, rows=0.5), topic=DECLARATION.reads.name, last=(20.0,) * 4)


@settings(max_examples=300, deadline=None)
@given(logs(), steps(passed=(0.0, 1.0, 3.0)))
def test_rows_that_wait_are_published_whatever_is_killed(log: list[Consumed], script: list[Step]) -> None:
    check(BOUNDED.run(log, script))


def test_rows_that_wait_at_a_kill_at_any_write_are_published(log: list[Consumed]) -> None:
    for broker in BOUNDED.at_every_write(log, fold=3, meanwhile=0):
        check(broker)


def test_a_core_that_does_not_say_which_rows_wait_breaks_the_law(log: list[Consumed]) -> None:
    class Silent(KeyedRows[InteractionCompleted, str, Skill]):
        def _meta(self, positions: bytes) -> bytes:
            unpublished, self._unpublished = self._unpublished, {}
            meta, self._unpublished = super()._meta(positions), unpublished
            return meta

    law = KillLaw(partial(made, Silent, rows=0.5), topic=DECLARATION.reads.name, last=(20.0,) * 4)

    with pytest.raises(AssertionError):
        list(map(check, law.at_every_write(log, fold=3, meanwhile=0)))


def test_so_many_rows_a_second_go_out_and_what_changed_longest_ago_goes_first() -> None:
    core, offset = made(KeyedRows, {}, rows=2.0), -1

    def flush(now: float, *campaigns: str) -> list[bytes | None]:
        nonlocal offset
        records = []
        for campaign in campaigns:
            offset += 1
            content = encode(InteractionCompleted(None, campaign, 1.0, 1.0, MS))
            records.append(Consumed(offset, content, b"k", ((SOURCE_POSITION, b"0:%d" % offset),)))
        core.fold(Chunk("completed", 0, records))
        return [row.key for row in core.flush(now).outputs]

    assert flush(START, "a", "b", "c", "d", "e") == [b"a", b"b"]
    assert flush(START + 1, "a", "d", "f") == [b"c", b"d"]
    assert flush(START + 1.1) == []
    assert flush(START + 1.5) == [b"e"]
    assert flush(START + 9) == [b"a", b"f"]
    assert flush(START + 10) == []


def test_lives_of_one_number_break_the_law() -> None:
    events = [(0, "a", 0), (0, "b", 1), (0, "c", 2)]
    log = [
        Consumed(
            offset,
            encode(InteractionCompleted(None, campaign, 1.0, 1.0, MS + hour * HOUR)),
            b"k",
            ((SOURCE_POSITION, b"%d:%d" % (raw, offset)),),
        )
        for offset, (raw, campaign, hour) in enumerate(events)
    ]
    law = KillLaw(partial(made, KeyedRows, life=1), topic=DECLARATION.reads.name)
    check(LAW.with_late_writes(log, [Step(1)], folded=3, seal=False))

    with pytest.raises(AssertionError):
        check(law.with_late_writes(log, [Step(1)], folded=3, seal=False))


def test_a_core_that_forgets_what_a_kill_cut_off_breaks_the_law(log: list[Consumed]) -> None:
    class Forgetful(KeyedRows[InteractionCompleted, str, Skill]):
        def _restore_ahead(self, names: list[bytes]) -> Steps[list[tuple[int, bytes]]]:
            yield
            return []

    law = KillLaw(partial(made, Forgetful), topic=DECLARATION.reads.name)

    with pytest.raises(AssertionError):
        list(map(check, law.at_every_write(log, fold=2, meanwhile=1)))
