"""Schemas of others: what they may be, so that no bytes hang or end a decoder."""

from typing import Any

import pytest
from fastavro import parse_schema

from schemas.avro import Codec, DecodeError
from schemas.foreign import check_writer
from schemas.records import CampaignHour, InteractionCompleted
from schemas.releases import FileSchemaIds, releases


def record(*types: Any) -> dict[str, Any]:
    fields = [{"name": f"f{number}", "type": each} for number, each in enumerate(types)]
    return {"type": "record", "name": "a.R", "fields": fields}


EMPTY = {"type": "record", "name": "a.Empty", "fields": []}
ITSELF = {"type": "record", "name": "a.R", "fields": [{"name": "next", "type": ["null", "a.R"]}]}


@pytest.mark.parametrize("listed", releases().values())
def test_our_own_schemas_are_fine(listed: Any) -> None:
    for release in listed:
        check_writer(parse_schema(release.schema))


@pytest.mark.parametrize(
    "schema",
    [
        record(),
        record("string", ["null", "long"], {"type": "array", "items": "long"}, {"type": "map", "values": "bytes"}),
        record({"type": "enum", "name": "a.E", "symbols": ["X"]}, "a.E", {"type": "array", "items": "a.E"}),
        record({"type": "fixed", "name": "a.F", "size": 16}, "a.F"),
        record({"type": "array", "items": ["null", "string"]}),
        record({"type": "long", "logicalType": "timestamp-millis"}),
        record(EMPTY, "a.Empty"),
    ],
)
def test_schemas_that_stay_in_bounds_are_fine(schema: Any) -> None:
    check_writer(parse_schema(schema))


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (record({"type": "array", "items": "null"}), "take no bytes"),
        (record({"type": "array", "items": EMPTY}), "take no bytes"),
        (record(EMPTY, {"type": "array", "items": "a.Empty"}), "take no bytes"),
        (record({"type": "array", "items": {"type": "fixed", "name": "a.F", "size": 0}}), "take no bytes"),
        (ITSELF, "holds itself"),
        (record({"type": "array", "items": "a.R"}), "holds itself"),
        (record({"type": "fixed", "name": "a.F", "size": 1 << 40}), "none of Avro's"),
        ("string", "no record"),
        ({"type": "array", "items": "long"}, "no record"),
        (["null", record()], "no record"),
    ],
)
def test_schemas_that_could_hang_or_end_a_decoder_are_refused(schema: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_writer(parse_schema(schema))


def test_a_schema_that_is_nested_too_deep_is_refused() -> None:
    schema: Any = "long"
    for _ in range(20):
        schema = {"type": "array", "items": schema}

    with pytest.raises(ValueError, match="too deep"):
        check_writer(parse_schema(record(schema)))


class Foreign(FileSchemaIds):
    """Gives one schema of somebody else under id 4711."""

    def __init__(self, schema: Any) -> None:
        super().__init__()
        self._foreign = schema

    def schema_for(self, schema_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self._foreign if schema_id == 4711 else super().schema_for(schema_id)
        return found


@pytest.mark.parametrize(
    "schema",
    [
        record({"type": "array", "items": "null"}),
        ITSELF,
        "string",
        {},
        [],
        None,
        7,
        {"type": "record", "name": "not a name!", "fields": []},
        {"type": "record", "name": "R", "fields": [{"name": "f", "type": "com.acme.Elsewhere"}]},
        {"type": "record", "name": "R", "fields": "none"},
        {"type": "record"},
        {"type": "nonsense"},
    ],
)
@pytest.mark.parametrize("kind", [CampaignHour, InteractionCompleted])
def test_a_record_under_such_a_schema_is_a_bad_record(schema: Any, kind: type) -> None:
    codec = Codec(Foreign(schema))
    data = b"\0" + (4711).to_bytes(4, "big") + b"\x80\x80\x80\x80\x80\x80\x01\x00"

    with pytest.raises(DecodeError):
        codec.decoder(kind)(data)
    with pytest.raises(DecodeError):
        codec.reader()(data)
