"""From a dead letter to its frame and into the raw topic again, without a broker."""

from collections.abc import Mapping

import orjson
import pytest

from schemas.dead_letters import dead_letter
from schemas.envelope import EVENT_ID, REPLAY_FOR, REPLAYS, SOURCE_POSITION, Consumed, Found, Headers, Outgoing
from schemas.topics import (
    CAMPAIGN_HOURLY,
    DEAD_LETTERS,
    DEAD_LETTERS_SETTLED,
    GUEST_ADMITTED,
    GUEST_MESSAGES,
    RAW_INTERACTIONS,
    RAW_MESSAGES,
    ROUTING_RETRIES,
)
from streams import topology
from streams.core.dead_letters.letter import MOST_REPLAYS, Choice, Place, groups, letter, place
from streams.core.dead_letters.settled import Decision, Ledger, open_letters
from streams.core.dead_letters.way_back import (
    GONE,
    NEVER_ON_A_TOPIC,
    NO_POSITION,
    PARKED,
    REPLAYED,
    TWICE,
    Trace,
    replay,
)

Log = Mapping[Place, Found]


def found(record: Outgoing, offset: int, partition: int = 0, time: int = 0) -> Found:
    return Found(partition, offset, time, record.key, record.value, record.headers)


def refused(topic: str, headers: Headers = (), *, stage: str, value: bytes = b"bytes", offset: int = 7) -> Found:
    """The dead letter of a record at partition 3 of a topic."""
    record = Consumed(offset, value, b"key", headers)
    return found(dead_letter(topic, 3, record, stage=stage, reason="bad", detail="It is."), 1, partition=5)


def followed(dead: Found, log: Log) -> Trace:
    trace = Trace(letter(dead), topology.positions_of())
    while trace.wanted is not None:
        trace.take({Place(DEAD_LETTERS.name, dead.partition, dead.offset): dead, **log}.get(trace.wanted))
    return trace


def at(topic: str, partition: int, offset: int, headers: Headers = (), value: bytes = b"frame") -> Log:
    return {Place(topic, partition, offset): Found(partition, offset, 0, b"guest", value, headers)}


def test_a_refused_frame_goes_back_as_its_dead_letter_has_it() -> None:
    own: Headers = (("cxone-source", b"interactions"), (EVENT_ID, b"e-1"))

    trace = followed(refused(RAW_INTERACTIONS.name, own, stage="normalise"), {})
    what, (again, note) = replay(trace, Ledger(), 99, parked_too=False)

    assert what == REPLAYED
    assert (again.topic, again.key, again.value) == (RAW_INTERACTIONS.name, b"key", b"bytes")
    assert again.headers == ((REPLAY_FOR, b"normalise"), *own, (REPLAYS, b"1"))
    assert again.partition is None, "its key decides"
    assert (note.topic, note.key) == (DEAD_LETTERS_SETTLED.name, b"normalise|cxone.raw.interactions:3:7")
    assert orjson.loads(note.value or b"") == {
        "decision": "replayed",
        "frame": "cxone.raw.interactions:3:7",
        "reason": "bad",
        "at": 99,
    }


@pytest.mark.parametrize("topic", [GUEST_ADMITTED.name, ROUTING_RETRIES[2].name])
def test_what_was_refused_behind_the_rate_limit_is_followed_through_both_positions(topic: str) -> None:
    dead = refused(topic, ((SOURCE_POSITION, b"4:40"), ("cxone-retry-attempt", b"3")), stage="routing")
    log = {
        **at(GUEST_MESSAGES.name, 4, 40, ((SOURCE_POSITION, b"9:90"),), b"avro"),
        **at(RAW_MESSAGES.name, 9, 90, (("cxone-source", b"messaging"),)),
    }

    _, (again, _) = replay(followed(dead, log), Ledger(), 0, parked_too=False)

    assert (again.topic, again.key, again.value) == (RAW_MESSAGES.name, b"guest", b"frame")
    assert again.headers == ((REPLAY_FOR, b"routing"), ("cxone-source", b"messaging"), (REPLAYS, b"1"))


def test_bytes_that_were_cut_are_taken_from_the_raw_topic() -> None:
    dead = refused(RAW_MESSAGES.name, stage="messages", value=b"x" * 1_000_000)

    trace = followed(dead, at(RAW_MESSAGES.name, 3, 7))

    assert trace.frame is not None
    assert trace.frame.value == b"frame"


@pytest.mark.parametrize(
    ("dead", "why"),
    [
        (refused(GUEST_ADMITTED.name, ((SOURCE_POSITION, b"4:40"),), stage="crm"), GONE),
        (refused(GUEST_ADMITTED.name, stage="crm"), NO_POSITION),
        (refused(GUEST_ADMITTED.name, ((SOURCE_POSITION, b"9" * 40 + b":1"),), stage="crm"), NO_POSITION),
        (refused(GUEST_ADMITTED.name, ((SOURCE_POSITION, "٣:1".encode()),), stage="crm"), NO_POSITION),
        (refused(CAMPAIGN_HOURLY.name, stage="influx"), "cxone.campaign.hourly holds what stages or persons make"),
        (Found(0, 0, 0, None, b"x", (("cxone-dead-source", b"socket:a:1"),)), NEVER_ON_A_TOPIC),
        (Found(0, 0, 0, None, None, ()), NEVER_ON_A_TOPIC),
    ],
)
def test_what_has_no_frame_stays_open_and_says_why(dead: Found, why: str) -> None:
    ledger = Ledger()

    what, records = replay(followed(dead, {}), ledger, 0, parked_too=False)

    assert why in what
    assert records == []
    assert ledger.is_open(letter(dead))


def test_a_frame_whose_record_was_refused_twice_goes_out_once() -> None:
    log = at(RAW_INTERACTIONS.name, 2, 20)
    position: Headers = ((SOURCE_POSITION, b"2:20"),)
    first, second = (
        refused("cxone.interactions.completed", position, stage="percentiles", offset=offset) for offset in (7, 8)
    )
    ledger = Ledger()

    outcomes = [replay(followed(dead, log), ledger, 0, parked_too=False) for dead in (first, second)]

    assert [what for what, _ in outcomes] == [REPLAYED, TWICE]
    assert [len(records) for _, records in outcomes] == [2, 1]
    assert not ledger.is_open(letter(second))


def test_what_comes_back_a_third_time_is_parked_and_goes_out_when_that_is_asked_for() -> None:
    ledger, outcomes = Ledger(), []
    headers: Headers = ()
    for coming in range(MOST_REPLAYS + 1):
        dead = refused(RAW_INTERACTIONS.name, headers, stage="normalise", offset=coming)
        what, records = replay(followed(dead, {}), ledger, 0, parked_too=False)
        outcomes.append(what)
        headers = records[0].headers

    assert outcomes == [REPLAYED, REPLAYED, REPLAYED, PARKED]
    assert ledger.is_open(letter(dead))
    assert ledger.is_parked(letter(dead))
    assert letter(dead).id == "normalise|cxone.raw.interactions:3:3"
    assert replay(followed(dead, {}), ledger, 0, parked_too=True)[0] == REPLAYED


def test_what_was_decided_is_known_to_the_next_run_and_a_repeated_letter_is_one() -> None:
    ledger, later = Ledger(), Ledger()
    dead = refused(RAW_INTERACTIONS.name, stage="normalise")
    other = refused(RAW_INTERACTIONS.name, stage="normalise", offset=8)
    note = ledger.decide(letter(dead), Decision.DISCARDED, 5)
    later.take(found(note, 0))
    later.take(Found(0, 1, 0, b"somebody's", b"no JSON", ()))
    later.take(Found(0, 2, 0, None, b"{}", ()))

    assert [each.origin for each in open_letters(map(letter, (dead, other, other)), later)] == [
        Place(RAW_INTERACTIONS.name, 3, 8)
    ]


def test_letters_of_a_door_are_told_apart_by_their_own_place() -> None:
    both = [letter(Found(0, offset, 0, None, b"x", (("cxone-dead-source", b"webhook:a:/b"),))) for offset in (1, 2)]

    assert len(list(open_letters(both, Ledger()))) == 2


def test_choices_and_groups() -> None:
    letters = [
        letter(found(dead_letter("t", 0, Consumed(n, b"", b"k%d" % n), stage=stage, reason="r", detail=""), n, time=n))
        for n, stage in enumerate(["crm", "routing", "crm"])
    ]

    assert [each.time for each in letters if Choice(stage="crm", since=1).has(each)] == [2]
    assert [each.time for each in letters if Choice(until=2, key="k1", reason="r").has(each)] == [1]
    (crm, routing) = groups((each, each.time == 2) for each in letters)
    assert (crm.stage, crm.count, crm.first, crm.last, crm.parked) == ("crm", 2, 0, 2, 1)
    assert (routing.stage, routing.count, routing.parked) == ("routing", 1, 0)


@pytest.mark.parametrize(
    "text", ["", "a", "a:1", "a:1:", "a:x:1", "a:1:2:3", "a:-1:2", f"a:{'9' * 10}:1", "socket:a:1"]
)
def test_what_is_no_place(text: str) -> None:
    assert place(text) is None
