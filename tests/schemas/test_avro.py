from contextlib import suppress
from dataclasses import fields, is_dataclass
from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_writer
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.avro import Codec, DecodeError
from schemas.records import CampaignHour, InteractionCompleted, Summary
from schemas.releases import FileSchemaIds, releases, subject_of

COMPLETED = InteractionCompleted("e-1", "sales", 312.0, 14.5, 1_760_000_000_000, 3)
SUMMARY = Summary(1.0, 2.0, 3.0, 0.0, 4.0, 1.5)
HOUR = CampaignHour("sales", 1_760_000_400_000, 7, SUMMARY, Summary(0, 0, 0, 0, 0, 0), 2, final=True, exact=False)

long = st.integers(-(2**63), 2**63 - 1)
double = st.floats(allow_nan=False)
summaries = st.builds(Summary, *[double] * 6)
completed = st.builds(InteractionCompleted, st.none() | st.text(), st.text(), double, double, long, long)
hours = st.builds(CampaignHour, st.text(), long, long, summaries, summaries, long, st.booleans(), st.booleans())


class MoreIds(FileSchemaIds):
    """The checked-in ids and some that another program registered."""

    def __init__(self, more: dict[int, dict[str, Any]]) -> None:
        super().__init__()
        self._schemas |= more


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec(FileSchemaIds())


@pytest.mark.parametrize(("record", "schema_id"), [(COMPLETED, 1), (HOUR, 2)])
def test_a_record_starts_with_magic_and_schema_id(codec: Codec, record: object, schema_id: int) -> None:
    assert codec.encoder(type(record))(record)[:5] == b"\0" + schema_id.to_bytes(4, "big")


@given(st.lists(completed, min_size=1, max_size=3))
def test_interactions_come_back_as_they_were(records: list[InteractionCompleted]) -> None:
    codec = Codec(FileSchemaIds())
    encode, decode = codec.encoder(InteractionCompleted), codec.decoder(InteractionCompleted)

    assert records == [decode(encode(record)) for record in records]


@given(st.lists(hours, min_size=1, max_size=3))
def test_hours_come_back_as_they_were(records: list[CampaignHour]) -> None:
    codec = Codec(FileSchemaIds())
    encode, decode = codec.encoder(CampaignHour), codec.decoder(CampaignHour)

    assert records == [decode(encode(record)) for record in records]


def test_an_encoded_record_is_not_touched_by_the_next(codec: Codec) -> None:
    encode, decode = codec.encoder(InteractionCompleted), codec.decoder(InteractionCompleted)
    first = encode(InteractionCompleted("a long event id", "a long campaign id", 1.0, 2.0, 3))

    encode(InteractionCompleted(None, "", 0.0, 0.0, 0))

    assert decode(first).event_id == "a long event id"


def test_times_are_milliseconds(codec: Codec) -> None:
    decoded = codec.decoder(CampaignHour)(codec.encoder(CampaignHour)(HOUR))

    assert type(decoded.hour_start) is int
    assert decoded.hour_start == 1_760_000_400_000


@given(st.binary() | st.binary().map(lambda body: b"\0\0\0\0\1" + body) | st.binary().map(lambda b: b"\0\0\0\0\2" + b))
@example(b"")
@example(b"\0\0\0\0\1")
@example(b"\0\0\0\0\1\2\1")  # a string of negative length
@example(b"\0\0\0\0\1\2" + b"\xff" * 12)  # a length of more than 64 bits
@example(b"\0\0\0\0\1\2\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1")  # a string of 2**63 - 1 bytes
@example(b"\0\0\0\0\1\2\2\xff")  # not UTF-8
@example(b"\0\0\0\0\1\4")  # no such branch of the union
@example(b"\0\0\0\0\1\1")
def test_whatever_the_bytes_only_decode_error_escapes(data: bytes) -> None:
    codec = Codec(FileSchemaIds())

    for record in (InteractionCompleted, CampaignHour):
        try:
            decoded = codec.decoder(record)(data)
        except DecodeError:
            continue
        assert isinstance(decoded, record)


@given(st.integers(5, 60), st.integers(0, 255))
def test_a_flipped_byte_gives_a_record_or_a_decode_error(position: int, value: int) -> None:
    codec = Codec(FileSchemaIds())
    data = bytearray(codec.encoder(CampaignHour)(HOUR))
    data[position] = value

    with suppress(DecodeError):
        assert isinstance(codec.decoder(CampaignHour)(bytes(data)), CampaignHour)


@pytest.mark.parametrize("record", [COMPLETED, HOUR])
def test_every_truncation_is_refused(codec: Codec, record: object) -> None:
    data, decode = codec.encoder(type(record))(record), codec.decoder(type(record))

    for length in range(len(data)):
        with pytest.raises(DecodeError):
            decode(data[:length])


def test_bytes_left_over_are_refused(codec: Codec) -> None:
    with pytest.raises(DecodeError, match="left over"):
        codec.decoder(CampaignHour)(codec.encoder(CampaignHour)(HOUR) + b"\0")


def test_an_unknown_id_is_named(codec: Codec) -> None:
    with pytest.raises(DecodeError, match="schema id 4711 is unknown"):
        codec.decoder(CampaignHour)(b"\0" + (4711).to_bytes(4, "big") + b"body")


def test_a_record_of_another_type_is_refused(codec: Codec) -> None:
    data = codec.encoder(InteractionCompleted)(COMPLETED)

    with pytest.raises(DecodeError):
        codec.decoder(CampaignHour)(data)


def test_errors_do_not_carry_content(codec: Codec) -> None:
    with pytest.raises(DecodeError) as refused:
        codec.decoder(InteractionCompleted)(b"\0\0\0\0\1\2\x0csecret")

    assert "secret" not in str(refused.value)


def test_another_known_schema_is_read_with_our_fields() -> None:
    """A later writer reordered the fields, added one and does not send the revision."""
    schema = {
        "type": "record",
        "name": "InteractionCompleted",
        "namespace": "cxone.streams",
        "fields": [
            {"name": "wait_time", "type": "float"},
            {"name": "channel", "type": "string"},
            {"name": "completed_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "campaign_id", "type": "string"},
            {"name": "event_id", "type": "string"},
            {"name": "handle_time", "type": "long"},
        ],
    }
    data = _written(
        9, schema, wait_time=14.5, channel="voice", completed_at=5, campaign_id="c", event_id="e", handle_time=3
    )

    decoded = Codec(MoreIds({9: schema})).decoder(InteractionCompleted)(data)

    assert decoded == InteractionCompleted("e", "c", 3.0, 14.5, 5, 0)


def test_nested_records_of_another_schema_are_read_by_name() -> None:
    schema = releases()[subject_of(CampaignHour)][0].schema
    handle, wait = schema["fields"][3:5]
    handle["type"]["fields"].reverse()
    handle["type"], wait["type"] = "Summary", handle["type"]  # a name is defined where it comes first
    schema["fields"].reverse()
    codec = Codec(MoreIds({9: schema}))
    values = {"p50": 1.0, "p90": 2.0, "p95": 3.0, "min": 0.0, "max": 4.0, "mean": 1.5}
    data = _written(
        9,
        schema,
        campaign_id="c",
        hour_start=1,
        count=2,
        handle=values,
        wait=values,
        revision=3,
        final=False,
        exact=True,
    )

    decoded = codec.decoder(CampaignHour)(data)

    assert decoded == CampaignHour("c", 1, 2, SUMMARY, SUMMARY, 3, final=False, exact=True)


def test_a_registry_outage_is_not_a_bad_record() -> None:
    class Away(FileSchemaIds):
        def schema_for(self, schema_id: int) -> dict[str, Any]:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        Codec(Away()).decoder(CampaignHour)(b"\0\0\0\0\x09body")


@pytest.mark.parametrize("record", [InteractionCompleted, CampaignHour])
def test_fields_are_in_the_order_of_the_record(record: Any) -> None:
    """Decoding by position rests on it."""
    schema = releases()[subject_of(record)][-1].schema

    names = [field.name for field in fields(record)] if is_dataclass(record) else list(record.__struct_fields__)

    assert names == [field["name"] for field in schema["fields"]]


def test_a_record_without_a_topic_has_no_subject() -> None:
    with pytest.raises(LookupError, match="Summary"):
        subject_of(Summary)


def test_a_schema_that_was_never_released_has_no_id() -> None:
    with pytest.raises(LookupError, match=subject_of(CampaignHour)):
        FileSchemaIds().id_for(subject_of(CampaignHour), {"type": "string"})


def _written(schema_id: int, schema: dict[str, Any], **values: object) -> bytes:

    body = BytesIO()
    schemaless_writer(body, schema, values)
    return b"\0" + schema_id.to_bytes(4, "big") + body.getvalue()
