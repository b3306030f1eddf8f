"""One command at a time, against a CXone that others use, too."""

from typing import Any

import pytest

from schemas.records import DashboardCommand
from schemas.records.audit import AuditRecord
from streams.stages.dashboards.applying import carry_out
from streams.stages.dashboards.command import Order, Verdict
from streams.stages.dashboards.cxone import RefusedAnswerError, Reply, found, refusal
from streams.stages.dashboards.memory import Memory
from tests.streams.stages.dashboards.payloads import FILE, document, in_cxone
from tests.streams.stages.dashboards.world import START, Cxone, World


def adopted(theirs: dict[str, Any] | None = None) -> World:
    """Return a world whose dashboard was taken over."""
    world = World(Cxone(theirs or in_cxone()))
    world.command(document(), kind="adopt")
    world.run()
    assert world.verdicts["c0"].status == "applied"
    return world


def applied(world: World, text: str, **changes: Any) -> str:
    command = world.command(document(text), **changes)
    world.run()
    return world.verdicts[command].status


class Empty:
    """Hands on a CXone without dashboards."""

    async def get(self, dashboard: str) -> Reply:
        return Reply(404)

    async def put(self, dashboard: str, body: bytes, etag: str, *, key: str) -> Reply:
        raise AssertionError("nothing is there")

    async def create(self, dashboard: str, body: bytes, *, key: str) -> Reply:
        return Reply(201, body)

    def remember(self, memory: Memory) -> None: ...

    def audit(self, record: AuditRecord) -> None: ...

    async def written(self) -> None: ...

    async def may_go_on(self) -> None: ...

    def now(self) -> int:
        return START


def told(world: World) -> list[tuple[str, str, str | None]]:
    return [(record.kind, record.attempt, record.status) for record in world.audit()]


RENAMED = FILE.replace("name: Sales floor", "name: Ours")


def test_a_change_is_put_once_and_audited() -> None:
    world = adopted()

    status = applied(world, RENAMED)

    assert status == "applied"
    assert world.cxone.document is not None
    assert world.cxone.document["name"] == "Ours"
    assert told(world) == [("intent", "c1.1", None), ("outcome", "c1.1", "applied")]
    intent, outcome = world.audit()
    assert intent.payload_hash == world.cxone.puts[0][0]
    assert (outcome.etag_before, outcome.etag_after, outcome.latency_ms) == ('"1"', '"2"', 10)


def test_applying_again_sends_nothing() -> None:
    world = adopted()
    applied(world, RENAMED)

    assert applied(world, RENAMED) == "applied"
    assert len(world.cxone.puts) == 1


def test_an_edit_of_others_meanwhile_is_merged() -> None:
    world = adopted()
    world.cxone.meanwhile = [lambda theirs: theirs.update(description="Theirs")]

    status = applied(world, RENAMED)

    assert status == "applied"
    assert world.cxone.document is not None
    assert (world.cxone.document["name"], world.cxone.document["description"]) == ("Ours", "Theirs")
    assert [status for _, _, status in told(world)] == [None, "contended", None, "applied"]


def test_the_base_is_the_file_and_not_the_merged_document() -> None:
    world = adopted()
    world.cxone.edit(lambda theirs: theirs.update(description="Theirs"))
    applied(world, RENAMED)

    status = applied(world, RENAMED.replace("name: Ours", "name: Newer"))

    assert status == "applied"
    assert world.cxone.document is not None
    assert (world.cxone.document["name"], world.cxone.document["description"]) == ("Newer", "Theirs")


def test_a_conflict_sends_nothing_and_names_everybody() -> None:
    world = adopted()
    world.cxone.edit(lambda theirs: theirs.update(name="Theirs", modifiedBy="Eve"))

    command = world.command(document(RENAMED))
    world.run()

    verdict = world.verdicts[command]
    assert verdict.status == "conflict"
    assert verdict.conflicts == [
        {
            "path": ["name"],
            "base": "Sales floor",
            "ours": "Ours",
            "theirs": "Theirs",
            "ours_by": "kim",
            "theirs_by": "Eve",
        }
    ]
    assert world.cxone.puts == []
    assert told(world) == [("outcome", "c1.1", "conflict")]


def test_after_three_rounds_it_is_contended() -> None:
    world = adopted()
    world.cxone.meanwhile = [lambda theirs: theirs.update(count=theirs.get("count", 0) + 1)] * 9

    assert applied(world, RENAMED) == "contended"
    assert [answer for _, answer in world.cxone.puts] == [412] * 4


@pytest.mark.parametrize("fault", ["lost", "away"])
def test_a_put_without_an_answer_is_settled_by_what_is_there(fault: str) -> None:
    world = adopted()
    world.cxone.faults = ["", fault]

    assert applied(world, RENAMED) == "applied"
    assert len(world.cxone.puts) == 1
    settled = {"lost": [], "away": [("intent", "c1.2", None), ("outcome", "c1.2", "applied")]}[fault]
    assert told(world) == [
        ("intent", "c1.1", None),
        ("outcome", "c1.1", "unknown"),
        ("settled", "c1.1", {"lost": "applied", "away": "failed"}[fault]),
        *settled,
    ]
    ends = [record.etag_after for record in world.audit() if record.kind != "intent"]
    assert ends == [None, '"2"'] if fault == "lost" else [None, None, '"2"']


def test_a_dashboard_without_history_is_not_touched() -> None:
    world = World(Cxone(in_cxone()))

    assert applied(world, RENAMED) == "refused"
    assert world.cxone.puts == []


def test_a_dashboard_that_is_as_its_file_needs_no_adopting() -> None:
    world = World(Cxone(in_cxone()))

    assert applied(world, FILE) == "applied"
    assert applied(world, RENAMED) == "applied"
    assert len(world.cxone.puts) == 1


def test_one_that_is_not_there_is_made_when_asked_for() -> None:
    world = World(Cxone(None))

    assert applied(world, FILE) == "refused"
    assert applied(world, FILE, create=True) == "applied"
    assert world.cxone.document is not None
    assert [widget["title"] for widget in world.cxone.document["widgets"]] == ["Waiting now", "Talk"]
    assert [record.action for record in world.audit()] == ["CREATE", "CREATE"]


def test_making_one_whose_answer_was_lost_makes_no_second() -> None:
    world = World(Cxone(None))
    world.cxone.faults = ["", "lost"]

    assert applied(world, FILE, create=True) == "applied"
    assert len(world.cxone.puts) == 1


def test_making_one_whose_answer_was_lost_is_recognised_though_somebody_edited_it_since() -> None:
    class Edited(Cxone):
        def get(self) -> Reply | str:
            if self.puts and self.document is not None and "description" not in self.document:
                self.edit(lambda document: document.update(description="theirs"))
            return super().get()

    world = World(Edited(None))
    world.cxone.faults = ["", "lost"]

    assert applied(world, FILE, create=True) == "applied"
    assert len(world.cxone.puts) == 1
    assert world.cxone.document is not None
    assert world.cxone.document["description"] == "theirs"
    assert applied(world, RENAMED) == "applied"
    settled = [(record.status, record.etag_after) for record in world.audit() if record.kind == "settled"]
    assert settled == [("applied", None)], "the ETag that it led to was another's by then"


def test_what_is_forgotten_has_no_history() -> None:
    world = adopted()

    assert applied(world, FILE, kind="forget") == "applied"
    assert applied(world, RENAMED) == "refused"


def test_a_stale_plan_is_refused() -> None:
    world = adopted()

    assert applied(world, RENAMED, etag='"9"') == "conflict"
    assert applied(world, RENAMED, etag='"1"') == "applied"


def test_a_command_that_nobody_took_in_time_never_runs() -> None:
    world = adopted()

    assert applied(world, RENAMED, expires_at=START) == "expired"
    assert world.cxone.puts == []
    assert told(world) == [("outcome", "c1.1", "expired")]


def test_server_errors_are_tried_again() -> None:
    world = adopted()
    world.cxone.faults = ["5xx", "away", ""]

    assert applied(world, RENAMED) == "applied"


def test_a_command_of_another_time_is_a_dead_letter() -> None:
    world = adopted()
    strange = [world.command(document(RENAMED), **{name: 10**18}) for name in ("issued_at", "expires_at")]

    assert applied(world, RENAMED) == "applied"
    assert not {*strange} & world.verdicts.keys()


def test_a_document_that_breaks_the_rules_is_a_dead_letter() -> None:
    world = adopted()
    wrong = document(RENAMED)
    wrong["widgets"][0]["query"]["range"] = "-99999w"
    command = world.command(wrong)

    assert applied(world, RENAMED) == "applied"
    assert command not in world.verdicts


@pytest.mark.parametrize(
    "widgets", [7, [7], [{}] * 101, [{"title": "Waiting now", "query": [], "layout": {"x": 10**400}}]]
)
def test_whatever_cxone_has_it_ends_one_command_and_no_worker(widgets: object) -> None:
    world = adopted()
    world.cxone.edit(lambda theirs: theirs.update(widgets=widgets))

    assert applied(world, FILE.replace("[agent]", "[team]")) in {"refused", "conflict", "applied"}


def test_garbage_is_a_dead_letter_and_holds_up_nobody() -> None:
    world = adopted()
    command = world.command({"id": "another"})

    assert applied(world, RENAMED) == "applied"
    assert command not in world.verdicts


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(200, b"{}", ""), "no ETag"),
        (Reply(200, b"{}", 'W/"1"'), "weak"),
        (Reply(200, b"{}", '"1-gzip"'), "compressed"),
        (Reply(200, b"{}", '"1"', encoding="gzip"), "compressed"),
        (Reply(200, b"{}", "1"), "malformed"),
        (Reply(200, b"{}", '"a"b"'), "malformed"),
        (Reply(200, b"[]", '"1"'), "no object"),
        (Reply(200, b'{"a":1,"a":2}', '"1"'), "a name occurs twice"),
        (Reply(200, b'{"a":NaN}', '"1"'), "is no number"),
        (Reply(200, b"\xff", '"1"'), "cannot be read"),
        (Reply(200, b"[" * 100_000, '"1"'), "nested too deep"),
        (Reply(200, b"{}", '"1"', cut=True), "too large"),
    ],
)
def test_an_answer_that_could_lose_edits_is_refused(reply: Reply, words: str) -> None:
    with pytest.raises(RefusedAnswerError, match=words):
        found(reply)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(400, b'{"code":"bad","message":"no\\nsuch metric"}'), "CXone answered 400 bad no such metric"),
        (Reply(403, b'{"error":"needs webhook:write"}'), "CXone refused (403): the OAuth client needs webhook:write"),
        (Reply(403, b"<html>"), "CXone refused (403): the OAuth client needs dashboard:write"),
        (Reply(418, b"\x1b[2J"), "CXone answered 418 [2J"),
    ],
)
def test_a_refusal_says_why(reply: Reply, words: str) -> None:
    assert refusal(reply, "dashboard:write") == words


def test_a_range_rolls_on_when_it_is_a_unit_behind() -> None:
    world = adopted()
    applied(world, FILE)
    assert world.rolled() == []

    world.now += 86_400_000
    (command,) = world.rolled()
    world.run()

    assert world.verdicts[command].status == "applied"
    assert world.cxone.document is not None
    query = world.cxone.document["widgets"][0]["query"]
    assert query["dateRange"]["end"] == "2026-02-03T02:40:00Z"
    assert query["filters"][1]["value"][1] == "2026-02-03T02:40:00Z"
    assert world.rolled() == []


async def test_a_document_that_cannot_be_compiled_ends_its_command_alone() -> None:
    command = DashboardCommand(
        command_id="c0",
        dashboard_id="sales-floor",
        kind="apply",
        document=None,
        create=True,
        etag=None,
        actor="kim",
        issued_at=START,
        expires_at=START + 600_000,
    )

    outcome = await carry_out(Order(command, {}), Memory(), Empty())

    assert outcome == Verdict("refused", "the dashboard cannot be made (KeyError)")
