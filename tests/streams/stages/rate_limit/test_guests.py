"""Guest messages in, admitted and throttled ones and dead letters out."""

from dataclasses import replace

import pytest
from msgspec import structs

from connectors.ingress.raw_record import LARGEST_FRAME
from schemas.dead_letters import DEAD_DETAIL, DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.envelope import EVENT_ID, REPLAY_FOR, SOURCE_POSITION, Consumed, Headers, size
from schemas.frame_fields import LONGEST_ID
from schemas.records import GuestThrottled
from schemas.topics import DEAD_LETTERS, GUEST_ADMITTED, GUEST_THROTTLED
from streams.core.taken import NO_POSITION
from streams.core.times import END_OF_TIME
from streams.stages.rate_limit.guests import LARGEST, OUT_OF_RANGE, TOO_LARGE, UNDECODABLE
from tests.streams.stages.rate_limit.guest_messages import (
    NOW,
    POLICY,
    SECOND,
    WINDOW,
    counted,
    decode_throttled,
    encode,
    fold,
    full,
    guests,
    message,
    outputs,
    record,
    topics,
)


def test_an_admitted_message_goes_on_as_it_came_under_its_conversation() -> None:
    stage, before = guests(), counted("admitted")
    came = record(9, message())

    assert fold(stage, came) == 0

    (output,) = outputs(stage)
    assert (output.topic, output.key, output.partition) == (GUEST_ADMITTED.name, b"c-1", None)
    assert output.value == came.value
    assert output.headers == ((SOURCE_POSITION, b"4:9"), (EVENT_ID, b"e-1")), "its position in this topic"
    assert counted("admitted") == before + 1


def test_a_refused_message_is_throttled_with_the_moment_at_which_the_next_is_allowed() -> None:
    stage, before = guests(), counted("throttled")
    sent = message(NOW + 20 * SECOND)

    assert fold(stage, *[record(i, message()) for i in range(15)], record(15, sent)) == 0

    output = outputs(stage)[-1]
    assert (output.topic, output.key) == (GUEST_THROTTLED.name, b"c-1")
    assert output.headers == ((SOURCE_POSITION, b"4:15"), (EVENT_ID, b"e-1"))
    assert output.value is not None
    assert decode_throttled(output.value) == GuestThrottled(
        event_id="e-1",
        conversation_id="c-1",
        fingerprint="f-1",
        queue_id="billing",
        sent_at=sent.sent_at,
        received_at=sent.received_at,
        allowed_at=NOW + WINDOW + 1,
    )
    assert counted("throttled") == before + 1


def test_a_guest_is_a_browser_over_all_its_conversations_and_without_one_a_conversation() -> None:
    stage = guests(policy=replace(POLICY, limit=1))
    browser, nobody = message(), message(fingerprint=None)

    fold(
        stage,
        record(0, browser),
        record(1, structs.replace(browser, conversation_id="c-2")),
        record(2, nobody),
        record(3, structs.replace(nobody, conversation_id="c-2")),
        record(4, nobody),
    )

    assert topics(stage) == ["admitted", "throttled", "admitted", "admitted", "throttled"]


def test_a_fingerprint_of_its_own_for_each_message_gets_a_conversation_no_further_than_its_limit() -> None:
    stage, before = guests(policy=replace(POLICY, conversation_limit=30)), full("conversation")

    fold(stage, *[record(i, message(NOW + i, fingerprint=f"f-{i}")) for i in range(1000)])

    found = outputs(stage)
    assert [output.topic for output in found] == [GUEST_ADMITTED.name] * 30 + [GUEST_THROTTLED.name] * 970
    assert decode_throttled(found[-1].value or b"").allowed_at == NOW + WINDOW + 1
    assert full("conversation") == before + 970


def test_all_guests_together_have_a_ceiling_in_each_window_of_the_clock() -> None:
    stage, before = guests(policy=replace(POLICY, ceiling=30)), full("ceiling")
    begins = NOW - NOW % WINDOW

    sent = [message(begins + i, fingerprint=f"f-{i}", conversation=f"c-{i}") for i in range(40)]
    fold(stage, *[record(i, each) for i, each in enumerate(sent)])
    fold(stage, record(40, message(begins + WINDOW, fingerprint="f-40")))

    found = outputs(stage)
    assert [output.topic for output in found] == [
        *[GUEST_ADMITTED.name] * 30,
        *[GUEST_THROTTLED.name] * 10,
        GUEST_ADMITTED.name,
    ]
    assert decode_throttled(found[-2].value or b"").allowed_at == begins + WINDOW
    assert full("ceiling") == before + 10


def test_times_are_the_guests_within_what_its_clock_is_believed() -> None:
    stage = guests(policy=replace(POLICY, limit=1))

    fold(stage, record(0, message(sent=NOW - 40 * SECOND)), record(1, message(NOW + 21 * SECOND)))

    assert topics(stage) == ["admitted", "admitted"]


BROKEN = [b"", b"\0", b"{}", encode(message())[:-3], encode(message()) + b"!", b"\0\0\0\0\2" + encode(message())[5:]]


@pytest.mark.parametrize("content", BROKEN)
def test_what_is_no_message_is_a_dead_letter_with_its_bytes_and_the_reason(content: bytes) -> None:
    stage, before = guests(), counted("refused")
    came = record(9, content)

    assert fold(stage, came) == 1

    (letter,) = outputs(stage)
    headers = dict(letter.headers)
    assert (letter.topic, letter.key, letter.value) == (DEAD_LETTERS.name, came.key, content)
    assert headers[SOURCE_POSITION] == b"2:9"
    assert headers[DEAD_REASON] == UNDECODABLE.encode()
    assert headers[DEAD_STAGE] == b"rate-limit"
    assert headers[DEAD_SOURCE] == b"cxone.guest.messages:4:9"
    assert 0 < len(headers[DEAD_DETAIL]) < 200
    assert counted("refused") == before + 1


def test_a_tombstone_is_refused() -> None:
    assert fold(guests(), Consumed(1, None)) == 1


@pytest.mark.parametrize("times", [(-1, NOW), (NOW, -1), (END_OF_TIME, NOW), (NOW, END_OF_TIME)])
def test_a_time_out_of_this_world_is_refused_and_moves_no_clock(times: tuple[int, int]) -> None:
    stage = guests(policy=replace(POLICY, limit=1))
    sent_at, received_at = times

    refused = fold(stage, record(0, message(received_at, sent=sent_at)), record(1, message()), record(2, message()))

    assert refused == 1
    letter, *others = outputs(stage)
    assert dict(letter.headers)[DEAD_REASON] == OUT_OF_RANGE.encode()
    assert [output.topic for output in others] == [GUEST_ADMITTED.name, GUEST_THROTTLED.name]


def test_a_message_that_no_broker_would_take_again_is_a_dead_letter() -> None:
    stage = guests()
    large = structs.replace(message(), text="a" * LARGEST)

    assert fold(stage, record(0, large), record(1, message())) == 1

    letter, other = outputs(stage)
    assert dict(letter.headers)[DEAD_REASON] == TOO_LARGE.encode()
    assert len(letter.value or b"") <= LARGEST
    assert other.topic == GUEST_ADMITTED.name


@pytest.mark.parametrize(
    ("conversation", "headers"),
    [("c" * (LARGEST * 2 // 3), ()), ("c-1", (("x", b"x" * LARGEST),)), ("c-1", (("", b""),) * (LARGEST // 2))],
)
def test_a_message_that_is_too_large_with_its_key_and_headers_is_a_dead_letter_and_counts_nothing(
    conversation: str, headers: Headers
) -> None:
    stage = guests(policy=replace(POLICY, limit=1))
    came = record(0, message(conversation=conversation))

    assert fold(stage, replace(came, headers=(*came.headers, *headers)), record(1, message())) == 1

    letter, other = outputs(stage)
    assert (letter.value, dict(letter.headers)[DEAD_REASON]) == (came.value, TOO_LARGE.encode())
    assert size(letter.key, letter.value, letter.headers) < 1_000_000
    assert other.topic == GUEST_ADMITTED.name


def test_what_is_made_of_the_largest_frame_is_admitted() -> None:
    stage = guests()
    large = structs.replace(message(conversation="\U0001f600" * LONGEST_ID), text="a" * LARGEST_FRAME)

    assert fold(stage, record(0, large)) == 0
    assert topics(stage) == ["admitted"]


@pytest.mark.parametrize("times", [(0, NOW), (END_OF_TIME - 1, NOW), (0, 0)])
def test_any_other_time_is_taken(times: tuple[int, int]) -> None:
    sent_at, received_at = times

    assert fold(guests(), record(0, message(received_at, sent=sent_at))) == 0


def test_a_message_that_comes_again_at_a_new_offset_is_skipped() -> None:
    stage = guests()
    fold(stage, record(0, message()), record(1, b"{"), record(2, message()))
    outputs(stage)

    again = [record(3, message(), b"2:0"), record(4, b"{", b"2:1"), record(5, message(), b"2:2")]
    assert fold(stage, *again, record(6, message(), b"2:6"), record(7, message(), b"3:1")) == 0

    assert [dict(output.headers)[SOURCE_POSITION] for output in outputs(stage)] == [b"4:6", b"4:7"]


def test_a_message_without_a_source_position_is_a_dead_letter() -> None:
    stage = guests()

    assert fold(stage, Consumed(0, encode(message()))) == 1

    (letter,) = outputs(stage)
    assert dict(letter.headers)[DEAD_REASON] == NO_POSITION.encode()


def test_garbage_with_a_far_position_takes_nobodys_place() -> None:
    stage = guests()

    assert fold(stage, record(0, b"\0garbage", b"3:999999999999999")) == 1
    fold(stage, *[record(n, message(), b"3:%d" % n) for n in range(1, 11)])

    assert topics(stage) == ["dead-letters", *["admitted"] * 10]


def test_what_is_replayed_for_a_stage_behind_is_admitted_and_counts_for_nothing() -> None:
    stage = guests(policy=replace(POLICY, limit=1))
    mark = (REPLAY_FOR, b"crm")
    fold(stage, record(0, message()))
    replays = [replace(each, headers=(mark, *each.headers)) for each in (record(1, message()), record(2, message()))]
    fold(stage, *replays, record(3, message(NOW + WINDOW + 1)))

    found = outputs(stage)

    assert [output.topic for output in found] == [GUEST_ADMITTED.name] * 4
    assert found[1].headers[:2] == (mark, (SOURCE_POSITION, b"4:1"))


def test_what_is_replayed_for_the_rate_limit_itself_is_decided_and_taken_by_all_behind_it() -> None:
    stage = guests(policy=replace(POLICY, limit=1))
    first = record(0, message())
    fold(stage, replace(first, headers=((REPLAY_FOR, b"rate-limit"), *first.headers)), record(1, message()))

    admitted, throttled = outputs(stage)

    assert (admitted.topic, throttled.topic) == (GUEST_ADMITTED.name, GUEST_THROTTLED.name)
    assert admitted.headers[0] == (SOURCE_POSITION, b"4:0")
