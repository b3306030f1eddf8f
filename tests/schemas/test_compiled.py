"""What is compiled answers what the modules in Python would, or nothing; and it does answer about the usual."""

import json
import re
import sys
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
from schemas.envelope import LOG_TIME, REPLAY_FOR, SOURCE_POSITION, Consumed, Headers
from schemas.frame_fields import DurationForm, InteractionFields
from schemas.records import CampaignHour, InteractionCompleted
from schemas.releases import FileSchemaIds
from streams.core.contract import Refused
from streams.core.event_time import log_time
from streams.core.raw_frames.event_ids import fingerprint
from streams.core.taken import PositionError, source_position
from streams.core.times import EARLIEST, END_OF_TIME, LONGEST_DURATION, milliseconds
from streams.stages.normalise.usual import usual
from streams.stages.percentiles.hours import Hours, Policy
from streams.stages.percentiles.window import HOUR

pytestmark = pytest.mark.skipif(not compiled.IS_BUILT, reason="the compiled step was not built: no C compiler")

FIELDS = dialect.load("v2").interactions.fields.interaction()
ARRIVED, SKEW = 1_795_255_200_000, 600_000
CODEC = Codec(FileSchemaIds())
HEADER, encode, decode = (
    CODEC.header(InteractionCompleted), CODEC.encoder(InteractionCompleted), CODEC.decoder(InteractionCompleted),
)  # fmt: skip
in_python = usual(FIELDS, clock_skew=SKEW)


def in_c(fields: InteractionFields) -> Any:
    return compiled.frames(
        fields, header=HEADER, earliest=EARLIEST, clock_skew=SKEW, longest=LONGEST_DURATION
    )  # fmt: skip


read = in_c(FIELDS)


def as_python_says(value: bytes, arrived: int = ARRIVED, of: Any = in_python) -> Any:
    found = of(value, arrived)
    if found is None:
        return None
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

    assert sum(answer is not None for answer in found) > 0.9 * len(values)
    for value, answer in zip(values, found, strict=True):
        assert answer is None or answer == as_python_says(value, ARRIVED + 60_000)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
names = st.text(min_size=1, max_size=300) | st.text(st.sampled_from('a"\\/\b\n\té😀'), max_size=20)
durations = st.integers(0, 32_000_000) | st.decimals(0, 32_000_000, places=3).map(float) | st.floats(0, 1e9) | anything
clocks = st.from_regex(
    r"(2026-11-(1[0-9]|2[0-1])|2024-02-(28|29|30)|2023-02-29|[0-9]{4}-[0-9]{2}-[0-9]{2})[T ]"
    r"([01][0-9]|2[0-4]):[0-6][0-9](:[0-6][0-9])?(\.[0-9]{0,10}|,5)?(Z|z|[+-][0-9]{2}:?[0-9]{2}|[+-]01:00:30)?",
    fullmatch=True,
)


@given(
    values=st.fixed_dictionaries(
        {},
        optional={
            "eventId": names | anything,
            "campaignId": names | anything,
            "handleTime": durations,
            "waitTime": durations,
            "timestamp": clocks | anything,
            "type": st.sampled_from(["interaction.completed", "heartbeat", ""]) | anything,
            "interactionId": anything,
            "other": anything,
        },
    ),
    indent=st.sampled_from([None, 1, "\t"]),
    escaped=st.booleans(),
    arrived=st.integers(-(2**63), 2**63 - 1) | st.just(ARRIVED),
)
def test_any_frame_is_answered_as_python_would_or_not(
    values: dict[str, Any], indent: Any, escaped: bool, arrived: int
) -> None:
    content = json.loads(frame())
    for name, change in values.items():
        (content["payload"] if name in content["payload"] else content)[name] = change
    value = json.dumps(content, indent=indent, ensure_ascii=escaped).encode("utf-8", "surrogatepass")

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
    with_skew = compiled.frames(FIELDS, header=HEADER, earliest=EARLIEST, clock_skew=2**80, longest=1.0)
    assert with_skew(frame(), ARRIVED) is None


def test_keys_of_a_dialect_may_be_any_text() -> None:
    fields = replace(FIELDS, campaign_id=(("payload", "wählt, was\u2028er will"),), event_id=(("", "id"),))
    value = frame(agentId=1).replace(b'"agentId":1', '"wählt, was\u2028er will":"é"'.encode())
    value = value.replace(b'"eventId":"e-1"', b'"":{"id":"e-2"}')

    assert in_c(fields)(value, ARRIVED) == as_python_says(value, of=usual(fields, clock_skew=SKEW)) is not None


# Records

hours = compiled.hours(CODEC.alike(InteractionCompleted), hour=HOUR, longest=LONGEST_DURATION, end=END_OF_TIME)
RULE = Hours(
    Policy(allowed_lateness=0, retention=HOUR, exact_values=100),
    decode=decode,
    encode=CODEC.encoder(CampaignHour),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
completed = st.builds(
    InteractionCompleted,
    st.none() | texts,
    texts,
    st.floats() | st.floats(0, 1000),
    st.floats() | st.floats(0, 1000),
    st.integers(-(2**63), 2**63 - 1) | st.integers(0, ARRIVED),
    st.just(0) | st.integers(-(2**63), 2**63 - 1),
)


def placed_by_python(value: bytes) -> Any:
    try:
        found = decode(value)
    except DecodeError:
        return None
    placed = RULE.place(found)
    return None if isinstance(placed, Refused) else (found, *placed)


@given(completed, st.data())
def test_a_record_is_placed_as_python_would_or_not(made: InteractionCompleted, data: st.DataObject) -> None:
    value = bytearray(encode(made))
    decode(encode(InteractionCompleted("e", "c", 1.0, 1.0, 0)))  # which makes its header known
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(value)))
        value[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))

    found = hours(bytes(value))

    event("answered" if found else "left to Python")
    assert found is None or found == placed_by_python(bytes(value))


def test_the_usual_record_is_placed() -> None:
    made = InteractionCompleted("e" * 200, "wählt", 1.5, 0.0, ARRIVED + 1)
    value = encode(made)

    found = hours(value)

    assert found == (made, ("wählt", ARRIVED - ARRIVED % HOUR), ARRIVED + 1)
    assert type(found[0]) is InteractionCompleted
    assert all(hours(value[:end]) is None for end in range(len(value)))


def test_a_record_of_a_schema_that_nobody_compared_is_left_to_python() -> None:
    unknown = compiled.hours(set(), hour=HOUR, longest=LONGEST_DURATION, end=END_OF_TIME)
    value = encode(InteractionCompleted("e", "c", 1.0, 1.0, ARRIVED))

    assert unknown(value) is None
    assert hours(b"\0\xff\xff\xff\xff" + value[HEADER_BYTES:]) is None


# Headers

digits = st.from_regex("[0-9]{0,20}", fullmatch=True).map(str.encode)
header_values = st.none() | st.binary(max_size=4) | digits | st.tuples(digits, digits).map(b":".join)
header_names = st.sampled_from([SOURCE_POSITION, LOG_TIME, REPLAY_FOR, "", "cxone-log-timé"])
headers = st.lists(st.tuples(header_names, header_values), max_size=3) | st.tuples(
    st.tuples(st.just(SOURCE_POSITION), header_values), st.tuples(st.just(LOG_TIME), header_values)
)


@given(headers)
def test_headers_say_what_python_reads_of_them_or_nothing(given_: Headers) -> None:
    found = compiled.source(given_)

    event("answered" if found else "left to Python")
    if found is not None:
        record = Consumed(0, b"", headers=given_)
        assert found == (*source_position(record), log_time(record))


@given(st.integers(0, 10**10 - 1), st.integers(0, 10**18 - 1), st.integers(0, 10**15 - 1))
def test_the_usual_headers_are_answered(raw: int, offset: int, at: int) -> None:
    usual_ = [(SOURCE_POSITION, b"%d:%d" % (raw, offset)), (LOG_TIME, b"%d" % at)]

    assert compiled.source(usual_) == compiled.source(tuple(usual_)) == (raw, offset, at)


@pytest.mark.parametrize("position", [b"", b":", b"1:", b":1", b"1:2:3", b"-1:2", b"1: 2", b"12345678901:1", b"1:\xb2"])
def test_what_python_refuses_is_not_answered(position: bytes) -> None:
    record = Consumed(0, b"", headers=((SOURCE_POSITION, position), (LOG_TIME, b"1")))

    assert compiled.source(record.headers) is None
    with pytest.raises(PositionError):
        source_position(record)


def test_what_is_no_list_of_pairs_is_not_answered() -> None:
    wrong: list[Any] = [None, 7, [], [(1, 2), (3, 4)], [(SOURCE_POSITION,), (LOG_TIME,)], [SOURCE_POSITION, LOG_TIME]]
    wrong.append([(SOURCE_POSITION, "1:2"), (LOG_TIME, b"1")])

    assert [compiled.source(each) for each in wrong] == [None] * len(wrong)


def test_arguments_of_another_kind_are_no_crash() -> None:
    for value in (None, "text", bytearray(frame()), memoryview(frame())):
        assert read(value, ARRIVED) is None
        assert hours(value) is None  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        read(frame(), "now")
    with pytest.raises(TypeError):
        read(frame())
    with pytest.raises(OverflowError):
        read(frame(), 2**64)


def test_no_reference_is_lost_and_none_is_given_away() -> None:
    value, record = frame(), encode(InteractionCompleted("e", "c", 1.0, 1.0, ARRIVED))
    decode(record)  # which makes its header known

    def many() -> list[int]:
        for _ in range(1000):
            assert read(value, ARRIVED) is not None
            assert hours(record) is not None
            assert read(value[:-3], ARRIVED) is None
            assert hours(record[:-3]) is None
        return [sys.getrefcount(each) for each in (value, record, InteractionCompleted, HEADER)]

    assert many() == many()
    found, placed = read(value, ARRIVED), hours(record)
    assert found is not None
    assert placed is not None
    assert [sys.getrefcount(found[place]) for place in (0, 1, 2)] == [2, 2, 2]  # the tuple's, and the argument's
    assert [sys.getrefcount(placed[place]) for place in (0, 1)] == [2, 2]
