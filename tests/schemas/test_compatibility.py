"""What a schema can read of what another wrote: as fastavro, which really reads, finds it."""

from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.compatibility import why_unreadable

VALUES: dict[str, Any] = {
    "string": "a",
    "int": 1,
    "long": 2,
    "float": 1.5,
    "double": 2.5,
    "boolean": True,
    "null": None,
}


def record(*fields: dict[str, Any], name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": "n", "fields": list(fields)}


def field(name: str, type_: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **more}


TIME = {"type": "long", "logicalType": "timestamp-millis"}
OLD = record(field("a", "string"), field("b", ["null", "long"]))


@pytest.mark.parametrize(
    "read",
    [
        OLD,
        record(field("a", "string")),
        record(field("a", "string"), field("b", ["null", "long"]), field("c", "int", default=0)),
        record(field("a", ["null", "string"]), field("b", ["null", "double"])),
        record(field("x", "string", aliases=["a"])),
        record(
            field("a", {"type": "string"}), field("b", ["null", {"type": "long", "logicalType": "timestamp-millis"}])
        ),
        {**OLD, "namespace": "other"},
    ],
)
def test_what_avro_can_read_is_compatible(read: dict[str, Any]) -> None:
    assert why_unreadable(OLD, read) is None


@pytest.mark.parametrize(
    ("read", "why"),
    [
        (record(field("a", "string"), field("c", "int")), "R.c: is new and has no default"),
        (record(field("a", "long")), "R.a: is long and was string"),
        (record(field("a", "string"), field("b", "long")), "R.b: is long and was null"),
        (record(field("a", "string"), field("b", ["null", "int"])), "R.b: takes no long"),
        (record(field("a", "string"), name="S"), "S: is called S and was called R"),
        (record(field("a", {"type": "array", "items": "string"})), "R.a: is array and was string"),
    ],
)
def test_what_avro_cannot_read_is_named(read: dict[str, Any], why: str) -> None:
    assert why_unreadable(OLD, read) == why


def test_nested_kinds_are_looked_into() -> None:
    def of(inner: Any) -> dict[str, Any]:
        return record(field("a", {"type": "array", "items": {"type": "map", "values": inner}}))

    assert why_unreadable(of("int"), of("long")) is None
    assert why_unreadable(of("string"), of("long")) == "R.a[]{}: is long and was string"


def test_an_enum_may_grow_and_must_not_shrink() -> None:
    def of(*symbols: str) -> dict[str, Any]:
        return record(field("a", {"type": "enum", "name": "E", "symbols": list(symbols)}))

    assert why_unreadable(of("x"), of("x", "y")) is None
    assert why_unreadable(of("x", "y"), of("x")) == "R.a: does not know y"


def test_what_is_no_schema_is_an_error() -> None:
    with pytest.raises(ValueError, match="no Avro schema"):
        why_unreadable(OLD, {"type": "nonsense", "name": "R"})


TYPES = st.sampled_from([*VALUES, "null", ["null", "string"], ["null", "long"], ["long", "string"]])


@given(written=TYPES, read=TYPES)
@settings(max_examples=150)
def test_what_is_called_compatible_is_read_by_fastavro(written: Any, read: Any) -> None:
    before, after = record(field("a", written)), record(field("a", read))
    if why_unreadable(before, after) is None:
        for branch in written if isinstance(written, list) else [written]:
            data = BytesIO()
            schemaless_writer(data, parse_schema(before), {"a": VALUES.get(branch)})
            data.seek(0)
            assert "a" in schemaless_reader(data, parse_schema(before), parse_schema(after))
