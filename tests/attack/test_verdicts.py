"""The judges of `make attack` judge: what must not be is told, and what may be is not."""

import base64
from collections import Counter

import pytest

from tests.attack import verdicts
from tests.attack.secrets import AT_A_TIME, Searcher
from tests.attack.watch import Look, Phase, Recovery
from tests.attack.ways import WAYS

SECRET = b"Zq7+s3cret/0123456789"


def phase(*, done: float = 100.0, memory: int = 100, looks: tuple[Look, ...] = ()) -> Phase:
    return Phase(0.0, 10.0, {"worker": memory}, {"worker": [*looks], "socket": [*looks]}, {"calls": (0.0, done)})


def look(at: float, why_not: str | None = None, *, excused: bool = False) -> Look:
    return Look(at, why_not, excused)


@pytest.mark.parametrize(("memory", "holds"), [(149, True), (150, False)])
def test_half_as_much_memory_again_is_too_much(memory: int, *, holds: bool) -> None:
    (verdict,) = verdicts.memory(phase(), phase(memory=memory))

    assert verdict.holds is holds


@pytest.mark.parametrize(("before", "now", "holds"), [(100, 80, True), (100, 79, False), (0, 10, False)])
def test_a_fifth_less_work_may_be_done(before: float, now: float, *, holds: bool) -> None:
    (verdict,) = verdicts.throughput(phase(done=before), phase(done=now))

    assert verdict.holds is holds


@pytest.mark.parametrize(
    ("seen", "wrong"),
    [
        (look(20, "no"), []),
        (look(20, excused=True), ["worker is red"]),
        (look(20), ["socket is red", "worker is red"]),
        (look(5), ["worker is red"]),
    ],
    ids=["red", "green with a socket", "green without one", "not noticed yet"],
)
def test_who_is_attacked_is_red_unless_a_socket_stands(seen: Look, wrong: list[str]) -> None:
    attack = phase(looks=(seen,))

    told = verdicts.readiness(phase(looks=(look(1),)), attack, sockets=["socket"], worker="worker")

    assert [verdict.what for verdict in told if not verdict.holds] == wrong


def test_who_is_red_before_the_attack_is_told_with_the_reason() -> None:
    told = verdicts.readiness(phase(looks=(look(1, "gone"),)), phase(), sockets=[], worker="worker")

    assert [verdict.seen for verdict in told if "before" in verdict.what] == ["red in 100% of looks; gone"]


@pytest.mark.parametrize(("took", "red", "holds"), [(30.0, {}, True), (30.1, {}, False), (1.0, {"a": "b"}, False)])
def test_all_is_green_within_half_a_minute(took: float, red: dict[str, str], *, holds: bool) -> None:
    assert verdicts.recovery(Recovery(took, [], red)).holds is holds


def test_who_was_not_attacked_in_every_way_is_named() -> None:
    done = Counter({("CRM", way): 1 for way in WAYS} | {("model", "slow"): 1})

    (verdict,) = verdicts.every_way(done, ["CRM", "model"], 600.0)

    assert not verdict.holds
    assert "model: endless, bombed, cut, mistyped, echoed" in verdict.seen


@pytest.mark.parametrize(
    "text",
    [
        b"x" * 100 + SECRET[5:13] + b"y",
        base64.b64encode(b"Bearer " + SECRET),
        base64.urlsafe_b64encode(b"ab" + SECRET + b"c"),
        b"x" * (AT_A_TIME - 4) + SECRET + b"x" * 10,
    ],
    ids=["a piece", "base64", "in URLs", "across what is searched at a time"],
)
def test_a_piece_of_a_secret_is_found(text: bytes) -> None:
    assert Searcher([SECRET]).found(text)


def test_less_than_a_piece_and_other_words_are_not() -> None:
    search = Searcher([SECRET])

    assert search.found(SECRET[:7] + b" " + SECRET[8:15]) == []
    assert Searcher().found(SECRET) == []

    search.learn([b"another-secret"])

    assert search.found(b"say another-secret") != []
