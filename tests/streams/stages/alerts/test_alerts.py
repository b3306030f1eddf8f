"""Minutes in any order, revised, replayed and cut short by kills come to what a batch over the final ones says."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from schemas.avro import Codec
from schemas.dead_letters import DEAD_REASON
from schemas.envelope import Consumed, Outgoing
from schemas.records import AlertRecord, MetricSnapshot
from schemas.releases import FileSchemaIds
from schemas.topics import ALERTS, DEAD_LETTERS
from streams.core.contract import Chunk
from streams.stages.alerts.alerts import FORGOTTEN, OPEN_NOW, STEP, Alerts, Policy
from streams.stages.alerts.rules import Rule, parse
from streams.stages.alerts.series import MINUTE, Minute, Progress, read

CODEC = Codec(FileSchemaIds())
ENCODE, DECODE = CODEC.encoder(MetricSnapshot), CODEC.decoder(AlertRecord)
START = 1_795_250_400_000 // STEP * STEP
RULES = parse(
    """
rules:
  - {name: total, metric: avg_handle_time, threshold: 240}
  - {name: queues, metric: avg_wait_time, threshold: 90, for: 2, queues: each}
"""
)
POLICY = Policy(rules=RULES, revise_for=6 * 60 * MINUTE)


def row(  # noqa: PLR0913 - what a row can be
    at: int, value: float, *, queue: str = "", revision: int = 1, final: bool = True, events: int = 3
) -> MetricSnapshot:
    """A minute `at` minutes after the start, with the same average handle and wait time."""
    return MetricSnapshot(START + at * MINUTE, queue, events, events, value, value, 1, revision, final, True, 1)


class System:
    """A log of minutes, a store and a topic of alerts; the core in between may be killed after any write."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy = policy
        self.log: list[Consumed] = []
        self.committed = 0
        self.store: dict[bytes, bytes] = {}
        self.topic: list[Outgoing] = []
        self.core = self.begin()

    def begin(self) -> Alerts:
        return Alerts(
            0, self.store, policy=self.policy, decode=CODEC.decoder(MetricSnapshot), encode=CODEC.encoder(AlertRecord)
        )

    def take(self, *rows: MetricSnapshot | bytes, killed_after: int | None = None) -> None:
        for each in rows:
            value = each if isinstance(each, bytes) else ENCODE(each)
            self.log.append(Consumed(len(self.log), value, b"k", (), START + 48 * 60 * MINUTE))
        self.core.fold(Chunk("cxone.metrics.snapshots", 0, self.log[self.committed :]))
        flush = self.core.flush(0.0, seal=True)
        writes: list[object] = [*flush.state, *flush.outputs, *flush.seal]
        for write in writes[:killed_after]:
            if isinstance(write, Outgoing):
                self.topic.append(write)
            elif write.value is None:  # type: ignore[attr-defined]  # a change
                self.store.pop(write.key, None)  # type: ignore[attr-defined]
            else:
                self.store[write.key] = write.value  # type: ignore[attr-defined]
        if killed_after is None:
            self.committed = len(self.log)
        else:
            self.core = self.begin()

    def records(self) -> list[AlertRecord]:
        return [DECODE(each.value or b"") for each in self.topic if each.topic == ALERTS.name]

    def newest(self) -> dict[str, AlertRecord]:
        """What a reader has that keeps the highest revision; a revision is never told in two ways."""
        found: dict[str, AlertRecord] = {}
        for record in self.records():
            known = found.get(record.alert_id)
            assert known is None or record.revision >= known.revision
            assert known is None or record.revision > known.revision or record == known
            found[record.alert_id] = record
        return found


def batch(rows: dict[tuple[str, int], MetricSnapshot], rules: tuple[Rule, ...] = RULES) -> set[tuple[object, ...]]:
    found: set[tuple[object, ...]] = set()
    for rule in rules:
        for queue in {queue for queue, _ in rows}:
            if rule.watches(queue):
                minutes = [
                    Minute(each.window, getattr(each, rule.metric), each.interactions)
                    for (name, _), each in sorted(rows.items())
                    if name == queue
                ]
                resolved, progress = read(rule, Progress(), minutes)
                for a in [*resolved, *([progress.open] if progress.open else [])]:
                    found.add((rule.name, queue, a.opened_at, a.resolved_at, a.severity, a.value, a.updated))
    return found


def told(records: dict[str, AlertRecord]) -> set[tuple[object, ...]]:
    return {
        (r.rule, r.queue, r.opened_at, r.resolved_at, r.severity, r.value, r.updated)
        for r in records.values()
        if r.state != "retracted"
    }


ROWS = st.builds(
    row,
    st.integers(0, 30),
    st.sampled_from([50.0, 85.0, 95.0, 200.0, 239.0, 241.0, 400.0]),
    queue=st.sampled_from(["", "sales", "a|b"]),
    revision=st.integers(1, 4),
    final=st.sampled_from([True, True, False]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.lists(ROWS, max_size=8), st.none() | st.integers(0, 12)), max_size=10))
def test_whatever_the_order_and_the_kills_the_alerts_are_those_of_the_batch(
    parts: list[tuple[list[MetricSnapshot], int | None]],
) -> None:
    system = System()
    final: dict[tuple[str, int], MetricSnapshot] = {}
    for rows, killed_after in parts:
        for each in rows:
            known = final.get((each.queue, each.window))
            if each.final and (known is None or each.revision > known.revision):
                final[each.queue, each.window] = each
        system.take(*rows, killed_after=killed_after)
    system.take()

    assert told(system.newest()) == batch(final)
    before = len(system.topic)
    system.committed = 0  # everything again
    system.take()
    system.core = system.begin()
    system.take()
    assert len(system.topic) == before


def test_the_life_of_an_alert() -> None:
    system = System()
    for at, value in enumerate([200.0, 250.0, 400.0, 300.0, 200.0, 200.0]):
        system.take(row(at, value))

    records = system.records()

    assert [(r.state, r.severity, r.value, r.revision) for r in records] == [
        ("open", "warning", 250, 1),
        ("open", "critical", 400, 2),
        ("resolved", "critical", 400, 3),
    ]
    (alert,) = system.newest().values()
    assert (alert.opened_at, alert.resolved_at) == (START + MINUTE, START + 6 * MINUTE)
    assert (alert.rule, alert.metric, alert.queue, alert.threshold) == ("total", "avg_handle_time", "", 240)
    assert {(each.key, each.partition) for each in system.topic} == {(alert.alert_id.encode(), 0)}


def test_open_alerts_are_counted_after_a_restart_too() -> None:
    system = System()
    system.take(row(0, 250))
    OPEN_NOW.labels("warning").set(0)  # as a new process begins

    system.begin()

    assert REGISTRY.get_sample_value("cxone_alerts_open", {"severity": "warning"}) == 1


def test_provisional_minutes_say_nothing() -> None:
    system = System()

    system.take(row(0, 500, final=False), row(0, 500, revision=2, final=False))

    assert system.topic == []


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        pytest.param(row(1, 400, revision=2), [("resolved", "critical", 400, 2)], id="worse than it was: amended"),
        pytest.param(row(3, 250, revision=2), [("open", "warning", 250, 2)], id="not clear after all: open again"),
        pytest.param(row(1, 240, revision=2), [("retracted", "warning", 250, 2)], id="never above: retracted"),
        pytest.param(row(1, 500, revision=1), [], id="as old as what is known: nothing"),
        pytest.param(row(2, 190, revision=2), [], id="a change that changes no alert: nothing"),
    ],
)
def test_a_late_event_after_resolved_amends_or_retracts(
    late: MetricSnapshot, expected: list[tuple[str, str, float, int]]
) -> None:
    system = System()
    system.take(row(0, 100), row(1, 250), row(2, 200), row(3, 200))
    before = len(system.topic)

    system.take(late)

    after = [DECODE(each.value or b"") for each in system.topic[before:]]
    assert [(r.state, r.severity, r.value, r.revision) for r in after] == expected
    assert {r.alert_id for r in system.records()} == set(system.newest())


def test_a_retracted_alert_can_come_back_under_its_id() -> None:
    system = System()
    system.take(row(0, 250))
    system.take(row(0, 100, revision=2))
    system.take(row(0, 250, revision=3))

    assert [(r.state, r.revision) for r in system.records()] == [("open", 1), ("retracted", 2), ("open", 3)]
    assert len(system.newest()) == 1


def test_silence_of_one_queue_is_noticed_by_the_minutes_of_others() -> None:
    rules = parse("rules:\n  - {name: r, metric: events, threshold: 1000, queues: each, no_data: 3}\n")
    system = System(Policy(rules=rules, revise_for=POLICY.revise_for))
    system.take(row(0, 1, queue="sales"))
    for at in range(1, 6):
        system.take(row(at, 1, queue="other"))
    system.take(row(6, 1, queue="sales"))

    sales = [record for record in system.records() if record.queue == "sales"]
    assert [(r.metric, r.state, r.value, r.threshold) for r in sales] == [
        ("no_data", "open", 3, 3),
        ("no_data", "resolved", 3, 3),
    ]
    assert (sales[1].opened_at, sales[1].resolved_at) == (START + MINUTE, START + 7 * MINUTE)


def test_a_day_of_minutes_is_let_go_of_and_says_the_same() -> None:
    values = [100.0, 250.0, 250.0, 400.0, 100.0, 100.0, 300.0]
    rows = [
        row(at, values[at % 7] if at % 50 < 30 else 300.0, queue=queue) for at in range(1440) for queue in ("", "q")
    ]
    system = System()

    for at in range(0, len(rows), 120):
        system.take(*rows[at : at + 120])

    assert told(system.newest()) == batch({(each.queue, each.window): each for each in rows})
    assert len(system.store) < 2 * (6 * 60 + STEP // MINUTE) + 10
    before = len(system.topic)
    system.take(row(0, 500, revision=9))  # too late
    assert len(system.topic) == before


@pytest.mark.parametrize("killed_after", range(6))
def test_a_long_stop_loses_no_alert_that_is_over_by_now(killed_after: int) -> None:
    system = System()
    rows = [row(at, 300.0 if at in {5, 6} else 100.0) for at in range(20)] + [row(1400, 100.0)]

    system.take(*rows, killed_after=len(rows) + killed_after)
    system.take()

    assert told(system.newest()) == batch({(each.queue, each.window): each for each in rows})


def test_a_changed_rule_retracts_what_it_no_longer_says_and_leaves_what_is_over() -> None:
    system = System()
    system.take(row(0, 250), row(1, 100), row(2, 100), row(3, 250))

    system.policy = Policy(rules=(replace(RULES[0], threshold=300.0),), revise_for=POLICY.revise_for)
    system.core = system.begin()
    system.take()

    assert sorted((r.state, (r.opened_at - START) // MINUTE) for r in system.newest().values()) == [
        ("resolved", 0),
        ("retracted", 3),
    ]


def test_a_queue_that_is_gone_for_a_week_is_forgotten() -> None:
    system = System()
    system.take(row(0, 500, queue="gone"), row(1, 500, queue="gone"))

    for day in range(1, 9):
        system.log.clear()
        system.committed = 0
        last = MetricSnapshot(START + day * FORGOTTEN // 7, "", 1, 1, 1.0, 1.0, 1, 1, True, True, 1)
        system.core.fold(Chunk("s", 0, [Consumed(0, ENCODE(last), None, (), last.window)]))
        flush = system.core.flush(0.0)
        system.topic += flush.outputs

    assert [record.state for record in system.records()] == ["open", "retracted"]
    assert "gone" not in system.core.queues


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"nonsense", b"undecodable"),
        (ENCODE(replace(row(0, 1), window=START + 1)), b"out of range"),
        (ENCODE(replace(row(0, 1), window=-MINUTE)), b"out of range"),
        (ENCODE(row(100_000, 1)), b"out of range"),
        (ENCODE(row(0, float("nan"))), b"out of range"),
        (ENCODE(row(0, 1, queue="\x01" * 1025)), b"out of range"),
    ],
)
def test_what_is_no_minute_is_a_dead_letter(value: bytes, reason: bytes) -> None:
    system = System()

    system.take(value)

    (output,) = system.topic
    assert (output.topic, output.value, dict(output.headers)[DEAD_REASON]) == (DEAD_LETTERS.name, value, reason)


def test_a_tombstone_is_passed_over() -> None:
    core = System().core

    assert core.fold(Chunk("s", 0, [Consumed(0, None)])) == 0
    assert not core.flush(0.0)


@pytest.mark.parametrize(
    ("handles", "state"),
    [
        pytest.param(0, "open", id="no event says how long it was handled"),
        pytest.param(3, "resolved", id="all were handled in no time"),
        pytest.param(None, "resolved", id="a row from before these numbers were part of it"),
    ],
)
def test_an_average_of_nothing_clears_no_alert(handles: int | None, state: str) -> None:
    system = System()

    system.take(row(0, 250), *(replace(row(at, 0), handles=handles) for at in (1, 2)))
    system.core = system.begin()  # what is kept says the same

    assert [each.state for each in system.newest().values()] == [state]
    assert [each.state for each in system.core.open()] == [state] * (state == "open")
