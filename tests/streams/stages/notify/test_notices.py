"""Which changes of alerts are told, and what is told again."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.avro import Codec
from schemas.dead_letters import DEAD_REASON
from schemas.envelope import Consumed
from schemas.records import AlertRecord
from schemas.releases import FileSchemaIds
from streams.core.contract import Chunk
from streams.stages.notify.notices import Notices, Telling

CODEC = Codec(FileSchemaIds())
ENCODE, DECODE = CODEC.encoder(AlertRecord), CODEC.decoder(AlertRecord)


def alert(name: str = "a", state: str = "open", severity: str = "warning", revision: int = 1) -> AlertRecord:
    resolved_at = 180_000 if state == "resolved" else None
    return AlertRecord(name, "r", "m", "", state, severity, 250.0, 240.0, 60_000, resolved_at, 60_000, revision)


class System:
    """A topic of alerts, what is stored, and what the receiver was told; a kill forgets the rest."""

    def __init__(self, resend: float | None = 60.0) -> None:
        self.resend = resend
        self.log: list[Consumed] = []
        self.committed = 0
        self.store: dict[bytes, bytes] = {}
        self.told: list[AlertRecord] = []
        self.open: set[tuple[str, str]] = set()  # names and severities, as an Alertmanager has them
        self.now = 1000.0
        self.begin()

    def begin(self) -> None:
        self.core = Notices(0, self.store, resend=self.resend, decode=DECODE)

    def take(self, *alerts: AlertRecord | bytes, killed: bool = False) -> Telling:
        for each in alerts:
            value = each if isinstance(each, bytes) else ENCODE(each)
            self.log.append(Consumed(len(self.log), value, b"k", (), 0))
        self.core.fold(Chunk("cxone.alerts", 0, self.log[self.committed :]))
        flush = self.core.flush(self.now)
        for told in flush.changes:
            self.told.append(told.record)
            self.open -= {(told.record.alert_id, each) for each in (*told.was, told.record.severity)}
            if told.record.state == "open":
                self.open.add((told.record.alert_id, told.record.severity))
        if killed:
            self.begin()
            return flush
        for change in flush.seal:
            if change.value is None:
                self.store.pop(change.key)
            else:
                self.store[change.key] = change.value
        self.committed = len(self.log)
        return flush


def test_each_change_is_told_with_the_severity_that_it_had() -> None:
    system = System()

    found = [
        [(change.record.state, change.was) for change in system.take(each).changes]
        for each in (
            alert(),
            alert(severity="critical", revision=2),
            alert(state="resolved", severity="critical", revision=3),
            alert(state="resolved", severity="critical", revision=3),
        )
    ]

    assert found == [[("open", set())], [("open", {"warning"})], [("resolved", set())], []]
    assert system.core.open == {}


def test_of_several_changes_at_once_the_newest_is_told() -> None:
    system = System()

    flush = system.take(alert(), alert(revision=3, severity="critical"), alert(revision=2), alert("b"))

    assert [(change.record.alert_id, change.record.revision) for change in flush.changes] == [("a", 3), ("b", 1)]


def test_an_alert_whose_opening_is_not_on_the_topic_any_more_concerns_a_webhook_only() -> None:
    over = alert(state="resolved", revision=2)

    assert System().take(over).changes == []
    assert [change.record.state for change in System(resend=None).take(over).changes] == ["resolved"]


@pytest.mark.parametrize(
    "next_", [alert(severity="critical", revision=2), alert(state="resolved", revision=2), alert("b")]
)
def test_what_was_told_before_a_kill_and_is_not_noted_ends_all_the_same(next_: AlertRecord) -> None:
    system = System()
    system.take(alert(), killed=True)

    system.take(next_)

    newest = {each.alert_id: each for each in (alert(), next_)}
    assert system.open == {(name, each.severity) for name, each in newest.items() if each.state == "open"}


def test_what_is_open_is_told_again_after_a_while_and_by_a_worker_that_starts() -> None:
    system = System()
    system.take(alert())

    assert system.take().again == []
    system.now += 60
    assert system.take().again == [alert()]
    assert system.take().again == []
    system.begin()
    assert system.take().again == [alert()]
    assert System(resend=None).take().again == []


def test_a_replay_tells_nothing_again() -> None:
    system = System(resend=None)
    system.take(alert(), alert("b"))
    system.take(alert(state="resolved", revision=2))
    before = len(system.told)

    system.begin()
    system.committed = 0
    system.take()

    assert len(system.told) == before
    assert set(system.core.open) == {"b"}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(
                st.tuples(
                    st.sampled_from("ab"),
                    st.sampled_from(["open", "resolved", "retracted"]),
                    st.sampled_from(["warning", "critical"]),
                ),
                max_size=3,
            ),
            st.booleans(),
        ),
        max_size=8,
    ),
    st.sampled_from([None, 60.0]),
)
def test_kills_lose_no_change_and_the_receiver_ends_with_the_newest(
    parts: list[tuple[list[tuple[str, str, str]], bool]], resend: float | None
) -> None:
    system = System(resend)
    newest: dict[str, AlertRecord] = {}
    for changes, killed in parts:
        alerts = []
        for name, state, severity in changes:
            known = newest.get(name)
            newest[name] = alert(name, state, severity, 1 if known is None else known.revision + 1)
            alerts.append(newest[name])
        system.take(*alerts, killed=killed)
    system.take()

    last = {record.alert_id: record for record in system.told}
    for name, record in newest.items():
        assert last.get(name) == record or (resend and record.state != "open" and name not in system.core.open)
    assert system.core.open == {name: record for name, record in newest.items() if record.state == "open"}
    assert system.open == {(name, record.severity) for name, record in system.core.open.items()}
    assert {orjson.loads(value)["alert_id"] for key, value in system.store.items() if key} == set(system.core.open)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"nonsense", b"undecodable"),
        *((ENCODE(alert(name=name)), b"out of range") for name in ("", "\u00e4", "a\nX-Evil: 1", "a" * 201)),
        (ENCODE(replace(alert(), queue="\x01" * 1025)), b"out of range"),
        (ENCODE(replace(alert(), rule="r" * 65)), b"out of range"),
        (ENCODE(replace(alert(), value=float("inf"))), b"out of range"),
    ],
)
def test_what_is_no_alert_is_a_dead_letter(value: bytes, reason: bytes) -> None:
    (output,) = System().take(value).outputs

    assert (output.value, dict(output.headers)[DEAD_REASON]) == (value, reason)


def test_a_refusal_is_a_dead_letter_with_the_record() -> None:
    system = System()
    (change,) = system.take(alert()).changes

    output = change.refused("400 no")

    assert (output.value, dict(output.headers)[DEAD_REASON]) == (ENCODE(alert()), b"refused by the receiver")
