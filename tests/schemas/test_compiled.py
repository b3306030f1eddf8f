"""What is compiled answers what the modules in Python would, or nothing; and it does answer about the usual."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from connectors.cxone import dialect
from connectors.simulator.interactions.traffic import Plan, deliveries
from schemas import compiled
from schemas.avro import HEADER_BYTES, Codec, DecodeError
from schemas.envelope import LOG_TIME, REPLAY_FOR, SOURCE_POSITION, Consumed, Headers, Outgoing
from schemas.frame_fields import DurationForm, InteractionFields, Kind
from schemas.json_limits import read as json_read
from schemas.records import CampaignHour, InteractionCompleted, Summary
from schemas.releases import FileSchemaIds
from streams.core.contract import Refused
from streams.core.event_time import log_time
from streams.core.raw_frames.event_ids import fingerprint
from streams.core.taken import FARTHEST, PositionError, source_position
from streams.core.times import EARLIEST, END_OF_TIME, LONGEST_DURATION, milliseconds
from streams.stages.normalise.event import interpreter
from streams.stages.normalise.usual import usual
from streams.stages.percentiles.hours import Hours, Policy
from streams.stages.percentiles.window import HOUR, Window

pytestmark = pytest.mark.skipif(not compiled.IS_BUILT, reason="the compiled step was not built: no C compiler")

FIELDS = dialect.load("v2").interactions.fields.interaction()
ARRIVED, SKEW = 1_795_255_200_000, 600_000
CODEC = Codec(FileSchemaIds())
HEADER, encode, decode = (
    CODEC.header(InteractionCompleted), CODEC.encoder(InteractionCompleted), CODEC.decoder(InteractionCompleted),
)  # fmt: skip


def in_c(fields: InteractionFields, skew: int = SKEW, longest: float = LONGEST_DURATION) -> Any:
    """Return what reads one frame: (key, record, fingerprint of the id, event time), or None."""
    run = compiled.frames(
        fields, topic="events", header=HEADER, earliest=EARLIEST, clock_skew=skew, longest=longest
    )  # fmt: skip

    def read_one(value: Any, arrived: Any) -> Any:
        times = []

        def take(at: int, _arrived: int) -> int:
            times.append(at)
            return 0

        if run is None:
            return None
        frames = [Consumed(0, value, timestamp=arrived)]
        taken, outputs, numbers = run(frames, 0, 7, -1, 2**63 - 1, take, lambda _number: True)
        assert taken == len(outputs) == len(numbers) == len(times)
        return (outputs[0].key, outputs[0].value, numbers[0], times[0]) if taken else None

    return read_one


read = in_c(FIELDS)


def thoroughly(value: bytes, arrived: int, fields: InteractionFields = FIELDS) -> InteractionCompleted | None:
    """Return what any frame says that is passed on and has an id."""
    content = json_read(value)
    if not isinstance(content, dict) or fields.kind(content) is not Kind.EVENT:
        return None
    found = interpreter(fields, clock_skew=SKEW)(content, arrived)
    return None if isinstance(found, Refused) or found.event_id is None else found


def as_python_says(value: bytes, arrived: int = ARRIVED, fields: InteractionFields = FIELDS) -> Any:
    found = thoroughly(value, arrived, fields)
    if found is None or found.event_id is None:
        return None
    at_once = usual(fields, clock_skew=SKEW)(value, arrived)
    assert at_once in (None, found)
    return found.campaign_id.encode(), encode(found), fingerprint(found.event_id.encode()), found.completed_at


def frame(**changes: Any) -> bytes:
    """Return a usual frame, but for `changes` of its payload or of itself."""
    payload = {"interactionId": "i", "campaignId": "sales", "handleTime": 312, "waitTime": 1.5, "agentId": "a"}
    content: dict[str, Any] = {
        "eventId": "e-1",
        "type": "interaction.completed",
        "timestamp": "2026-11-21T09:12:13.123Z",
        "payload": payload,
    }
    for name, change in changes.items():
        (payload if name in payload else content)[name] = change
    return orjson.dumps(content)


def check(value: bytes, *, answered: bool) -> None:
    found = read(value, ARRIVED)
    assert (found is not None) == answered
    if answered:
        assert found == as_python_says(value)


# Frames


def test_nearly_all_of_the_simulators_frames_are_answered_and_alike() -> None:
    plan = Plan(rate=500, speedup=10, history=3600, campaigns=50, redelivered=0.1, malformed=0.02, number=3000)
    values = [delivery.body for delivery in deliveries(plan, ARRIVED / 1000)]

    found = [read(value, ARRIVED + 60_000) for value in values]

    assert sum(answer is not None for answer in found) > 0.97 * len(values)
    for value, answer in zip(values, found, strict=True):
        assert answer is None or answer == as_python_says(value, ARRIVED + 60_000)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
names = st.text(min_size=1, max_size=300) | st.text(st.sampled_from('a"\\/\b\n\té😀'), max_size=20)
PAYLOAD = {"interactionId", "contactId", "campaignId", "handleTime", "waitTime", "completionTime", "agentId"}
durations = st.integers(0, 32_000_000) | st.decimals(0, 32_000_000, places=3).map(float) | st.floats(0, 1e9) | anything
clocks = st.from_regex(
    r"(2026-11-(1[0-9]|2[0-1])|2024-02-(28|29|30)|2023-02-29|[0-9]{4}-[0-9]{2}-[0-9]{2})[T ]"
    r"([01][0-9]|2[0-4]):[0-6][0-9](:[0-6][0-9])?(\.[0-9]{0,10}|,5)?(Z|z|[+-][0-9]{2}:?[0-9]{2}|[+-]01:00:30)?",
    fullmatch=True,
)


CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "eventId": names | anything,
    "campaignId": names | anything,
    "handleTime": durations,
    "waitTime": durations,
    "timestamp": clocks | anything,
    "type": st.sampled_from(["interaction.completed", "heartbeat", ""]) | anything,
    "interactionId": names | anything,
    "contactId": names | anything,
    "completionTime": clocks | st.just("2026-11-21T09:12:13Z") | anything,
    "eventType": st.sampled_from(["interaction.completed", "heartbeat"]) | anything,
    "other": anything,
}


@given(
    values=st.lists(st.one_of([st.tuples(st.just(name), value) for name, value in CHANGES.items()]), max_size=4).map(
        dict
    ),
    without=st.sets(st.sampled_from(["eventId", "type", "timestamp", "campaignId"]), max_size=1),
    backwards=st.booleans(),
    written=st.fixed_dictionaries({"indent": st.sampled_from([None, 1, "\t"]), "ensure_ascii": st.booleans()}),
    arrived=st.just(ARRIVED) | st.just(ARRIVED) | st.integers(-(2**63), 2**63 - 1),
)
def test_any_frame_is_answered_as_python_would_or_not(
    values: dict[str, Any], without: set[str], backwards: bool, written: dict[str, Any], arrived: int
) -> None:
    content = json.loads(frame())
    for name, change in values.items():
        (content["payload"] if name in PAYLOAD else content)[name] = change
    for name in without:
        content.pop(name, None)
        content["payload"].pop(name, None)
    if backwards:
        content = {name: content[name] for name in reversed(content)}
    value = json.dumps(content, **written).encode("utf-8", "surrogatepass")

    found = read(value, arrived)

    event("answered" if found else "left to Python")
    assert found is None or found == as_python_says(value, arrived)


@given(st.data())
def test_a_frame_with_changed_bytes_is_answered_as_python_would_or_not(data: st.DataObject) -> None:
    value = bytearray(frame(campaignId=data.draw(st.sampled_from(["sales", 'a "b\\', "ä"]))))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(value) - 1))
        value[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.binary(max_size=2)
            | st.sampled_from([b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"1", b"\0", b" "])
        )
    found = read(bytes(value), ARRIVED)

    event("answered" if found else "left to Python")
    assert found is None or found == as_python_says(bytes(value))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256))
@example("x" * 128)
@example("x" * 129)
@example("é" * 256)
def test_any_event_id_has_the_same_fingerprint(event_id: str) -> None:
    found = read(frame(eventId=event_id), ARRIVED)

    if found is not None:  # JSON escapes control characters as half of what may be a character
        assert found[2] == fingerprint(event_id.encode())
    else:
        assert any(ord(character) < 32 for character in event_id)


@given(st.integers(0, 31_622_399).flatmap(lambda whole: st.from_regex(rf"{whole}(\.[0-9]{{1,6}})?", fullmatch=True)))
def test_a_duration_is_the_double_next_to_its_digits(digits: str) -> None:
    value = frame(handleTime=12345).replace(b"12345", digits.encode())
    found = read(value, ARRIVED)

    assert found is not None
    assert decode(found[1]).handle_time == float(digits)


@given(clocks)
@example("2026-11-21T09:12.12Z")  # Python takes it, and C leaves it
def test_a_time_is_what_python_reads_or_left_to_it(text: str) -> None:
    found = read(frame(timestamp=text), ARRIVED)

    event("answered" if found else "left to Python")
    if found is not None:
        assert found[3] == milliseconds(text)
    elif re.fullmatch(r"[0-9-]{10}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", text):
        at = milliseconds(text)
        assert at is None or not EARLIEST <= at <= ARRIVED + SKEW


def test_the_bounds_are_pythons() -> None:
    year = int(LONGEST_DURATION)
    check(frame(handleTime=year), answered=True)
    check(frame(handleTime=year + 1), answered=False)
    check(frame(waitTime=-1), answered=False)
    check(frame(waitTime=True), answered=False)
    check(frame(campaignId="c" * 256), answered=True)
    check(frame(campaignId="c" * 257), answered=False)
    check(frame(campaignId=""), answered=False)
    check(frame(campaignId=7), answered=False)
    check(frame(timestamp="2000-01-01T00:00:00Z"), answered=True)
    check(frame(timestamp="1999-12-31T23:59:59.999Z"), answered=False)
    assert milliseconds("2026-11-21T10:10:00Z") == ARRIVED + SKEW
    check(frame(timestamp="2026-11-21T10:10:00Z"), answered=True)
    check(frame(timestamp="2026-11-21T10:10:00.001Z"), answered=False)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"{" * 100_000,
        b"[" * 100_000,
        frame() + b"x",
        frame() + b"\0",
        frame()[:-1],
        frame(other="x" * 70_000),
        frame(other=[0] * 10_001),
        frame(other=dict.fromkeys(map(str, range(2_000)))),
        frame(other=[[[[]]] * 3] * 3).replace(b"[[[]]", b"[" * 40 + b"]" * 40),
        b'{"eventId":"other",' + frame()[1:],
        frame().replace(b'"eventId"', b'"event\\u0049d"'),
        frame().replace(b'"a"', b'"\\ud800"'),
        frame().replace(b'"a"', b'"\xff"'),
        frame().replace(b'"a"', b"1e999"),
        frame().replace(b'"a"', b"01"),
    ],
)
def test_what_is_not_plain_is_left_to_python(value: bytes) -> None:
    assert read(value, ARRIVED) is None


def test_dialects_that_are_not_plain_are_left_to_python() -> None:
    assert in_c(replace(FIELDS, wait_time=FIELDS.handle_time))(frame(), ARRIVED) is None
    assert in_c(replace(FIELDS, wait_time=(("payload",),)))(frame(), ARRIVED) is None
    assert in_c(replace(FIELDS, wait_time=((*FIELDS.handle_time[0], "more"),)))(frame(), ARRIVED) is None
    assert in_c(replace(FIELDS, durations=DurationForm.TEXT))(frame(), ARRIVED) is None
    assert in_c(replace(FIELDS, wait_time=(tuple(map(str, range(100))),)))(frame(), ARRIVED) is None
    assert in_c(FIELDS, skew=2**80, longest=1.0)(frame(), ARRIVED) is None


def test_of_several_paths_the_first_hit_wins() -> None:
    later = frame(handleTime=1).replace(b'"timestamp"', b'"completionTime"').replace(b'"eventId"', b'"other"')
    later = orjson.dumps(orjson.loads(later) | {"payload": orjson.loads(later)["payload"] | {"contactId": "c-1"}})
    check(later, answered=False)  # of the wrong place: there is no time
    content = orjson.loads(later)
    content["payload"]["completionTime"] = content.pop("completionTime")
    check(orjson.dumps(content), answered=True)
    assert read(orjson.dumps(content), ARRIVED)[2] == fingerprint(b"i")
    del content["payload"]["interactionId"]
    check(orjson.dumps(content), answered=True)
    assert read(orjson.dumps(content), ARRIVED)[2] == fingerprint(b"c-1")
    content["payload"]["contactId"] = 7
    check(orjson.dumps(content), answered=False)  # Python makes a text of it
    content["eventId"] = "e-9"
    check(orjson.dumps(content), answered=True)
    check(orjson.dumps(content | {"eventId": None}), answered=False)


def test_a_path_that_leads_into_another_ends_what_is_looked_for() -> None:
    fields = replace(FIELDS, wait_time=(*FIELDS.wait_time, ("payload",), ("wait",)))
    value = frame().replace(b'"waitTime"', b'"wait"')

    assert in_c(fields)(frame(), ARRIVED) == as_python_says(frame(), fields=fields) is not None
    assert in_c(fields)(b'{"wait":1,' + value[1:], ARRIVED) is None
    fields = replace(FIELDS, completed_at=(*FIELDS.completed_at, *FIELDS.campaign_id))
    assert in_c(fields)(frame(), ARRIVED) == as_python_says(frame(), fields=fields) is not None


def test_a_path_through_what_is_no_object_leads_nowhere() -> None:
    fields = replace(FIELDS, event_id=(("ids", "event"), ("eventId",)))
    others: list[object] = [None, "e-2", [], 1.5]
    for other in others:
        value = frame(ids=other)
        assert in_c(fields)(value, ARRIVED) == as_python_says(value, fields=fields) is not None
    value = frame(ids={"event": "e-2"})
    assert in_c(fields)(value, ARRIVED)[2] == fingerprint(b"e-2")


def test_keys_of_a_dialect_may_be_any_text() -> None:
    fields = replace(FIELDS, campaign_id=(("payload", "wählt, was\u2028er will"),), event_id=(("", "id"),))
    value = frame(agentId=1).replace(b'"agentId":1', '"wählt, was\u2028er will":"é"'.encode())
    value = value.replace(b'"eventId":"e-1"', b'"":{"id":"e-2"}')

    assert in_c(fields)(value, ARRIVED) == as_python_says(value, fields=fields) is not None


# Records

run_hours = compiled.hours(
    CODEC.alike(InteractionCompleted), hour=HOUR, keep=2 * HOUR, longest=LONGEST_DURATION, end=END_OF_TIME,
    farthest=FARTHEST,
)  # fmt: skip
RULE = Hours(
    Policy(allowed_lateness=0, retention=HOUR, exact_values=100),
    decode=decode,
    encode=CODEC.encoder(CampaignHour),
)
SOURCE: Headers = ((SOURCE_POSITION, b"3:9"), (LOG_TIME, b"0"))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300) | st.sampled_from("abc")
completed = st.builds(
    InteractionCompleted,
    st.none() | texts,
    texts,
    st.floats() | st.floats(0, 1000),
    st.floats() | st.floats(0, 1000),
    st.integers(-(2**63), 2**63 - 1) | st.integers(0, ARRIVED),
    st.just(0) | st.integers(-(2**63), 2**63 - 1),
)
CAMPAIGNS = [chr(code) for code in range(128)]


def add(
    value: Any, headers: Any = SOURCE, positions: dict[int, int] | None = None, *keys: tuple[str, int]
) -> tuple[dict[int, int], dict[Any, Window]]:
    """Return the positions, and the hours that have changed of those at `keys`, after one record or none."""
    positions = {3: 5} if positions is None else positions
    before, values, changed = dict(positions), {key: Window() for key in keys}, dict[Any, Window]()
    assert run_hours is not None
    many = run_hours([Consumed(0, value, headers=headers)], 0, positions, values, changed)

    assert many == len(changed) == (positions != before)
    for key, hour in values.items():
        assert changed[key] is hour if key in changed else not hour.handle.counts and not hour.wait.counts
    return positions, changed


def placed_by_python(value: bytes) -> Any:
    try:
        found = decode(value)
    except DecodeError:
        return None
    placed = RULE.place(found)
    return None if isinstance(placed, Refused) else (found, *placed)


@given(completed, st.data())
def test_a_record_is_added_as_python_would_or_not(made: InteractionCompleted, data: st.DataObject) -> None:
    value = bytearray(encode(made))
    decode(encode(InteractionCompleted("e", "c", 1.0, 1.0, 0)))  # which makes its header known
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(value)))
        value[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    placed = placed_by_python(bytes(value))
    hour = made.completed_at - made.completed_at % HOUR
    keys = [(name, hour) for name in (made.campaign_id, *CAMPAIGNS)]
    if placed is not None:
        keys.append(placed[1])

    _, changed = add(bytes(value), SOURCE, None, *keys)

    event("answered" if changed else "left to Python")
    if changed:
        found, key, _ = placed
        alone = Window()
        RULE.add(alone, found)
        assert list(changed) == [key]
        assert (changed[key].handle.counts, changed[key].wait.counts) == (alone.handle.counts, alone.wait.counts)


def test_the_usual_record_is_added_to_its_hour() -> None:
    value, key = encode(InteractionCompleted("e" * 200, "wählt", 1.5, 0.0, ARRIVED + 1)), ("wählt", ARRIVED)
    decode(value)

    positions, changed = add(value, SOURCE, None, key)

    assert positions == {3: 9}
    assert changed[key].handle.counts == {1.5: 1}
    assert changed[key].wait.counts == {0.0: 1}
    assert all(not add(value[:end], SOURCE, None, key)[1] for end in range(len(value)))
    assert not add(value, SOURCE, None)[1], "its hour has to begin"
    assert add(value, SOURCE, {}, key)[1], "the first of its raw partition"
    assert not add(value, ((SOURCE_POSITION, b"100000:1"), SOURCE[1]), {}, key)[1], "no topic has so many"
    assert not add(value, SOURCE, {3: 9}, key)[1], "taken before"
    assert not add(value, ((SOURCE_POSITION, b"3:%d" % (FARTHEST + 6)), SOURCE[1]), None, key)[1], "out of reach"
    assert add(value, (SOURCE[0], (LOG_TIME, b"%d" % (ARRIVED + 2 * HOUR - 1))), None, key)[1]
    assert not add(value, (SOURCE[0], (LOG_TIME, b"%d" % (ARRIVED + 2 * HOUR))), None, key)[1], "too late"


def test_a_record_of_a_schema_that_nobody_compared_is_left_to_python() -> None:
    unknown = compiled.hours(set(), hour=HOUR, keep=HOUR, longest=1e6, end=END_OF_TIME, farthest=FARTHEST)
    value = encode(InteractionCompleted("e", "c", 1.0, 1.0, ARRIVED))
    decode(value)

    assert unknown is not None
    assert unknown([Consumed(0, value, headers=SOURCE)], 0, {3: 5}, {("c", ARRIVED): Window()}, {}) == 0
    assert add(value, SOURCE, None, ("c", ARRIVED))[1]
    assert not add(b"\0\xff\xff\xff\xff" + value[HEADER_BYTES:], SOURCE, None, ("c", ARRIVED))[1]


# Headers

digits = st.from_regex("[0-9]{0,20}", fullmatch=True).map(str.encode)
header_values = st.none() | st.binary(max_size=4) | digits | st.tuples(digits, digits).map(b":".join)
header_names = st.sampled_from([SOURCE_POSITION, LOG_TIME, REPLAY_FOR, "", "cxone-log-timé"])
headers = st.lists(st.tuples(header_names, header_values), max_size=3) | st.tuples(
    st.tuples(st.just(SOURCE_POSITION), header_values), st.tuples(st.just(LOG_TIME), header_values)
)
END = END_OF_TIME - HOUR  # no log time of so many digits is too late for it


def by_headers(given_: Any, *, raw: int = 0) -> dict[int, int]:
    """Return positions after one usual record with these headers, and one before it of a raw partition."""
    value = encode(InteractionCompleted("e", "c", 1.0, 1.0, END))
    decode(value)
    return add(value, given_, {raw: 0}, ("c", END))[0]


@given(headers)
def test_headers_say_what_python_reads_of_them_or_nothing(given_: Headers) -> None:
    record = Consumed(0, b"", headers=given_)
    try:
        raw, offset = source_position(record)
    except PositionError:
        raw, offset = 0, 0
    found = by_headers(given_, raw=raw)

    event("answered" if found[raw] else "left to Python")
    assert found.keys() == {raw}
    assert found[raw] in (0, offset)
    if found[raw]:
        assert log_time(record) < END + 2 * HOUR


@given(st.integers(0, 10**5 - 1), st.integers(1, FARTHEST), st.integers(0, END))
def test_the_usual_headers_are_answered(raw: int, offset: int, at: int) -> None:
    usual_ = [(SOURCE_POSITION, b"%d:%d" % (raw, offset)), (LOG_TIME, b"%d" % at)]

    assert by_headers(usual_, raw=raw) == by_headers(tuple(usual_), raw=raw) == {raw: offset}


@pytest.mark.parametrize("position", [b"", b":", b"1:", b":1", b"1:2:3", b"-1:2", b"1: 2", b"12345678901:1", b"1:\xb2"])
def test_what_python_refuses_is_not_answered(position: bytes) -> None:
    record = Consumed(0, b"", headers=((SOURCE_POSITION, position), (LOG_TIME, b"1")))

    assert by_headers(record.headers, raw=1) == {1: 0}
    with pytest.raises(PositionError):
        source_position(record)


def test_what_is_no_list_of_pairs_is_not_answered() -> None:
    wrong: list[Any] = [None, 7, [], [(1, 2), (3, 4)], [(SOURCE_POSITION,), (LOG_TIME,)], [SOURCE_POSITION, LOG_TIME]]
    wrong.append([(SOURCE_POSITION, "1:2"), (LOG_TIME, b"1")])

    assert [by_headers(each, raw=1) for each in wrong] == [{1: 0}] * len(wrong)


# Records that come one after the other


def taken(frames: Sequence[Any], begin: int = 0, position: int = -1, until: float = 2**62) -> int:
    run = compiled.frames(
        FIELDS, topic="events", header=HEADER, earliest=EARLIEST, clock_skew=SKEW, longest=LONGEST_DURATION
    )
    assert run is not None
    return run(frames, begin, 0, position, until, max, lambda _number: True)[0]


def test_a_run_ends_where_python_has_to_look() -> None:
    usual_frame = frame()

    def at(offset: int, value: Any = usual_frame, headers: Any = (), arrived: int = ARRIVED) -> Consumed:
        return Consumed(offset, value, None, headers, arrived)

    run = [at(3), at(4), at(9)]
    assert taken(run) == taken(tuple(run)) == 3
    assert (taken(run, 1), taken(run, 3), taken(run, 7), taken([])) == (2, 0, 0, 0)
    assert taken(run, position=3) == 0
    assert (
        taken([*run, at(9)]) == taken([*run, at(5)]) == taken([*run, at(10, None)]) == taken([*run, at(10, b"{")]) == 3
    )
    assert taken([*run, at(10, arrived=ARRIVED + 1)], until=ARRIVED + 1) == 3
    assert taken(run, until=ARRIVED) == taken(run, until=float("-inf")) == 0
    assert taken([*run, at(10, headers=((REPLAY_FOR, b"crm"),))]) == 3
    assert taken([*run, at(10, headers=[["cxone-source", b""]])]) == taken([*run, at(10, headers=None)]) == 3
    assert taken([*run, at(10, headers=(("cxone-source", b""), (REPLAY_FOR, b"crm")))]) == 4


def test_what_is_asked_of_python_may_fail() -> None:
    run = compiled.frames(FIELDS, topic="t", header=HEADER, earliest=EARLIEST, clock_skew=SKEW, longest=1e6)
    assert run is not None

    def fail(*_of: object) -> Any:
        raise LookupError

    for take, first_time in ((fail, bool), (max, fail), (str, bool)):
        with pytest.raises((LookupError, TypeError)):
            run([Consumed(0, frame(), timestamp=ARRIVED)], 0, 0, -1, 2**62, take, first_time)  # type: ignore[arg-type]
    assert run_hours is not None
    value = encode(InteractionCompleted("e", "c", 1.0, 1.0, ARRIVED))
    for hour in (None, Summary(1, 1, 1, 1, 1, 1)):
        with pytest.raises(AttributeError):
            run_hours([Consumed(0, value, headers=SOURCE)], 0, {3: 5}, {("c", ARRIVED): hour}, {})


def test_arguments_of_another_kind_are_no_crash() -> None:
    assert run_hours is not None
    for value in (None, "text", bytearray(frame()), memoryview(frame())):
        assert read(value, ARRIVED) is None
        assert not add(value, SOURCE, None, ("c", ARRIVED))[1]
    with pytest.raises(TypeError):
        read(frame(), "now")
    with pytest.raises(OverflowError):
        read(frame(), 2**64)
    run: Any = compiled.frames(FIELDS, topic="t", header=HEADER, earliest=EARLIEST, clock_skew=SKEW, longest=1e6)
    wrong: list[tuple[Any, ...]] = [
        (),
        ([],),
        (iter([]), 0, 0, 0, 0, max, bool),
        ([], "0", 0, 0, 0, max, bool),
        ([], 0, "", 0, 0, max, bool),
    ]
    for arguments in wrong:
        with pytest.raises(TypeError):
            run(*arguments)
    of_hours: Any = run_hours
    wrong = [(), (None, 0, {}, {}, {}), ([], 0, [], {}, {}), ([], 0, {}, {}, None), ([object()], 0, {}, {}, {})]
    for arguments in wrong:
        with pytest.raises((TypeError, AttributeError)):
            of_hours(*arguments)
    with pytest.raises(ValueError, match="from 0"):
        run_hours([], -1, {}, {}, {})


def test_no_reference_is_lost_and_none_is_given_away() -> None:
    value, record, key = frame(), encode(InteractionCompleted("e", "c", 1.0, 1.0, ARRIVED)), ("c", ARRIVED)
    decode(record)  # which makes its header known
    hour = Window()
    assert run_hours is not None

    def many() -> list[int]:
        for _ in range(1000):
            assert read(value, ARRIVED) is not None
            assert run_hours([Consumed(0, record, headers=SOURCE)], 0, {3: 5}, {key: hour}, {}) == 1
            assert read(value[:-3], ARRIVED) is None
            assert run_hours([Consumed(0, record[:-3], headers=SOURCE)], 0, {3: 5}, {key: hour}, {}) == 0
        known = [value, record, InteractionCompleted, HEADER, SOURCE, *SOURCE, SOURCE_POSITION, LOG_TIME, Outgoing]
        return [sys.getrefcount(each) for each in (*known, hour, hour.handle, hour.handle.counts, hour.wait.counts)]

    assert many() == many()
    found = read(value, ARRIVED)
    assert found is not None
    assert [sys.getrefcount(found[place]) for place in (0, 1, 2)] == [2, 2, 2]  # the tuple's, and the argument's
    assert hour.handle.counts == {1.0: 2000}
