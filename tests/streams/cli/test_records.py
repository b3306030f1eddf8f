import orjson
import pytest

from connectors.errors import ConfigurationError
from connectors.kafka.topic_reader import Start, start
from schemas.avro import Codec
from schemas.envelope import Found
from schemas.records import InteractionCompleted
from schemas.releases import FileSchemaIds
from streams.cli.records import as_json, as_line, matches

CODEC = Codec(FileSchemaIds())
VALUE = CODEC.encoder(InteractionCompleted)(InteractionCompleted("event-1", "sales", 312.0, 45.0, 1_768_471_200_250))
NOW = 1_768_471_200.0
DEEP = b'{"a":' * 300 + b"1" + b"}" * 300


def found(value: bytes | None, key: bytes | None = b"sales") -> Found:
    return Found(3, 42, 1_768_471_200_250, key, value, (("cxone-source-position", b"3:7"),))


def test_avro_is_decoded_without_knowing_the_record() -> None:
    line = orjson.loads(as_json(found(VALUE), CODEC.reader()))

    assert (line["partition"], line["offset"], line["time"]) == (3, 42, "2026-01-15T10:00:00.250Z")
    assert line["type"] == "InteractionCompleted"
    assert line["value"]["campaign_id"] == "sales"
    assert line["headers"] == {"cxone-source-position": "3:7"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b"plain", "plain"),
        (b"\xff\x00", "base64:/wA="),
        (b"\0\0\0\0\x63rest", "\0\0\0\0crest"),  # an id that nobody released
        (None, None),
        (DEEP, DEEP.decode()),  # can be read, and not be written as JSON again
    ],
)
def test_other_bytes_are_shown_as_they_are(value: bytes | None, shown: object) -> None:
    line = orjson.loads(as_json(found(value), CODEC.reader()))

    assert line["type"] is None
    assert line["value"] == shown
    assert as_line(found(value), CODEC.reader())


def test_a_line_for_a_person_cannot_move_the_cursor() -> None:
    line = as_line(found(b"\x1b[2Jgone\nnext", key=b"\x1bkey"), CODEC.reader())

    assert line.isprintable()
    assert line.startswith("3:42  2026-01-15T10:00:00.250Z  \\x1bkey  \\x1b[2Jgone\\nnext")


def test_a_long_value_is_cut_with_its_length() -> None:
    assert as_line(found(b"x" * 9000), CODEC.reader()).endswith("… (9000 characters)")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("beginning", Start()),
        ("17", Start(offset=17)),
        ("10m", Start(time=int((NOW - 600) * 1000))),
        ("2d", Start(time=int((NOW - 2 * 86_400) * 1000))),
        ("2026-01-15T10:00:00Z", Start(time=1_768_471_200_000)),
        ("2026-01-15T10:00:00", Start(time=1_768_471_200_000)),
    ],
)
def test_where_reading_begins(text: str, expected: Start) -> None:
    assert start(text, now=NOW) == expected


@pytest.mark.parametrize("text", ["yesterday", "10 minutes", "-5", "", "9" * 5000, "9" * 5000 + "d"])
def test_a_start_that_is_none_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ConfigurationError, match="10m"):
        start(text, now=NOW)


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ({}, True),
        ({"key": "c-1"}, True),
        ({"key": "c"}, False),
        ({"value.a.b": "5"}, True),
        ({"value.a.b": "6"}, False),
        ({"value.a.b.c": "5"}, False),
        ({"value.nothing": "null"}, True),
        ({"headers.cxone.x": "y", "partition": "3"}, True),
        ({"headers.cxone.x": "y", "partition": "4"}, False),
    ],
)
def test_filters(wanted: dict[str, str], there: bool) -> None:
    shown = {"partition": 3, "key": "c-1", "value": {"a": {"b": 5}}, "headers": {"cxone.x": "y"}}

    assert matches(wanted, shown) is there
