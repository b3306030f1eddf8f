"""Dead letters carry the refused record as it was, and why."""

import pytest

from schemas.dead_letters import DEAD_DETAIL, DEAD_REASON, DEAD_SOURCE, DEAD_STAGE, DEAD_TRUNCATED, dead_letter
from schemas.envelope import Consumed, Outgoing, Record
from schemas.topics import DEAD_LETTERS

RECEIVED = (("cxone-source", b"interactions"), ("twice", b"1"), ("twice", b"2"))


def refuse(record: Record, detail: str = "is missing", max_bytes: int = 900_000) -> Outgoing:
    return dead_letter(
        "raw",
        3,
        record,
        stage="normalise",
        reason="campaign id",
        detail=detail,
        max_bytes=max_bytes,
    )


@pytest.mark.parametrize("value", [b"", b"\xff\x00 bytes", None])
@pytest.mark.parametrize("key", [b"", b"k", None])
def test_key_and_value_are_as_they_were(key: bytes | None, value: bytes | None) -> None:
    letter = refuse(Consumed(17, value, key))

    assert (letter.topic, letter.key, letter.value, letter.partition) == (DEAD_LETTERS.name, key, value, None)


def test_the_original_headers_come_first_and_then_why_it_was_refused() -> None:
    letter = refuse(Consumed(17, b"{}", None, RECEIVED))

    assert letter.headers == (
        *RECEIVED,
        (DEAD_STAGE, b"normalise"),
        (DEAD_REASON, b"campaign id"),
        (DEAD_DETAIL, b"is missing"),
        (DEAD_SOURCE, b"raw:3:17"),
    )


def test_a_value_that_is_too_large_is_cut_and_its_length_told() -> None:
    letter = refuse(Consumed(17, b"0123456789"), max_bytes=4)

    assert letter.value == b"0123"
    assert dict(letter.headers)[DEAD_TRUNCATED] == b"10"


def test_a_value_of_just_the_allowed_size_is_whole() -> None:
    letter = refuse(Consumed(17, b"0123"), max_bytes=4)

    assert letter.value == b"0123"
    assert DEAD_TRUNCATED not in dict(letter.headers)


def test_any_detail_can_be_written() -> None:
    letter = refuse(Consumed(17, b""), detail="lone \ud800 surrogate, é")

    assert dict(letter.headers)[DEAD_DETAIL].decode() == "lone ? surrogate, é"


def test_a_refused_record_with_many_headers_keeps_them() -> None:
    headers = tuple((f"h{i}", b"x") for i in range(100))

    assert refuse(Consumed(17, b"", None, headers)).headers[:100] == headers
