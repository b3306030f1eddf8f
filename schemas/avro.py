"""Records <-> bytes in the Confluent wire format: magic byte 0, schema id (4 bytes, big-endian), Avro body.

Times are `timestamp-millis` in the schemas and plain integers in the records: the logical type is taken off before
fastavro sees a schema, because building a `datetime` per record costs more than everything else in it.
"""

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from functools import partial
from io import BytesIO
from operator import attrgetter
from typing import Any, TypeVar, get_args, get_origin

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import to_parsing_canonical_form

from schemas import interaction_wire
from schemas.foreign import check_writer
from schemas.records import InteractionCompleted
from schemas.releases import Schema, SchemaIds, releases, subject_of

R = TypeVar("R")

MAGIC = b"\0"
HEADER_BYTES = 5


def schema_id_of(data: bytes) -> int | None:
    """Return the id of the schema that `data` was written with, None when it is not in the wire format."""
    if len(data) < HEADER_BYTES or data[:1] != MAGIC:
        return None
    return int.from_bytes(data[1:HEADER_BYTES], "big")


class DecodeError(ValueError):
    """Bytes that are no record of the expected type: the reason, never the content."""


class Codec:
    """Encoders and decoders of the record types, each written under its newest released schema.

    Encoders and decoders keep a buffer: use one from one thread.
    """

    def __init__(self, ids: SchemaIds) -> None:
        self._ids = ids
        self._alike: dict[type, set[bytes]] = {}

    def header(self, record: type) -> bytes:
        """Return what stands before each body that an encoder writes. Asks for the schema id, as an encoder does."""
        return MAGIC + self._ids.id_for(subject_of(record), _newest(record)).to_bytes(4, "big")

    def alike(self, record: type) -> set[bytes]:
        """Return the headers of schemas that are written just as ours is, as far as decoders have met them: a live set.

        Whoever reads a body behind one of them by hand reads what a decoder would.
        """
        return self._alike.setdefault(record, set())

    def encoder(self, record: type[R]) -> Callable[[R], bytes]:
        """Return `record -> bytes`. Asks for the schema id once, here; an id that there is not yet is given then."""
        schema, header = _parsed(_newest(record)), self.header(record)
        if record is InteractionCompleted:
            return partial(interaction_wire.encode, header)
        to_dict = _to_dict(record)
        buffer = BytesIO()

        def encode(value: R) -> bytes:
            buffer.seek(0)
            buffer.write(header)
            schemaless_writer(buffer, schema, to_dict(value))
            buffer.truncate()
            return buffer.getvalue()

        return encode

    def decoder(self, record: type[R]) -> Callable[[bytes], R]:
        """Return `bytes -> record`.

        Whatever the bytes are, the record raises `DecodeError` or nothing. Bytes are read with the schema that they
        were written with. Asking for an id that was not seen before may raise what `SchemaIds` raises when its registry
        is away (try again: the record may be fine). Nothing is registered: a reader needs no schema to be there before
        the first record is.
        """
        schema = _parsed(_newest(record))
        build, build_resolved = _from_dict(record, by_name=False), _from_dict(record, by_name=True)
        canonical = to_parsing_canonical_form(schema)
        alike = self.alike(record)
        writers: dict[bytes, Any] = {}

        def resolved(data: bytes) -> R:
            header = data[:HEADER_BYTES]
            writer = writers.get(header)
            if writer is None:
                writer, form = self._writer_schema(data)
                if form == canonical:
                    alike.add(header)
                    return decode(data)
                writers[header] = writer
            return build_resolved(_body(data, writer, schema))

        def decode_any(data: bytes) -> R:
            if data[:HEADER_BYTES] not in alike:
                return resolved(data)
            return build(_body(data, schema, None))

        def decode_interaction(data: bytes) -> R:
            if data[:HEADER_BYTES] not in alike:
                return resolved(data)
            try:
                return interaction_wire.decode(data, HEADER_BYTES)  # type: ignore[return-value]  # R is just that
            except ValueError as broken:
                raise DecodeError(f"broken Avro body: {broken}") from broken

        decode = decode_interaction if record is InteractionCompleted else decode_any
        return decode

    def reader(self) -> Callable[[bytes], tuple[str, dict[str, Any]]]:
        """Return `bytes -> (name of the schema, fields)`, for those who look at any topic.

        Raises DecodeError, and what `SchemaIds` raises when its registry is away.
        """
        schemas: dict[bytes, Any] = {}

        def read(data: bytes) -> tuple[str, dict[str, Any]]:
            schema = schemas.get(data[:HEADER_BYTES])
            if schema is None:
                schema, _ = self._writer_schema(data)
                schemas[data[:HEADER_BYTES]] = schema
            return schema["name"].rpartition(".")[2], _body(data, schema, None)

        return read

    def _writer_schema(self, data: bytes) -> tuple[Any, str]:
        """Return the schema of `data`, and its form that is the same for all that are written just as it."""
        schema_id = schema_id_of(data)
        if schema_id is None:
            raise DecodeError("not in the Confluent wire format (magic byte 0, 4-byte schema id, Avro body)")
        try:
            schema = self._ids.schema_for(schema_id)
        except LookupError:
            raise DecodeError(f"schema id {schema_id} is unknown") from None
        try:
            parsed = _parsed(schema)
            check_writer(parsed)
            form = to_parsing_canonical_form(parsed)
        except Exception as wrong:  # fastavro raises whatever the schema leads it to
            why = str(wrong) if type(wrong) is ValueError else type(wrong).__name__
            raise DecodeError(f"the schema under id {schema_id} cannot be read with: {why}") from wrong
        return parsed, form


def _body(data: bytes, writer: Any, reader: Any) -> dict[str, Any]:
    body = BytesIO(data)
    body.seek(HEADER_BYTES)
    try:
        value: dict[str, Any] = schemaless_reader(body, writer, reader)
    except Exception as exc:  # fastavro raises whatever the bytes lead it to
        raise DecodeError(f"broken Avro body: {type(exc).__name__}") from exc
    if body.read(1):
        raise DecodeError("bytes left over after the Avro body")
    return value


def _newest(record: type) -> Schema:
    return releases()[subject_of(record)][-1].schema


def _parsed(schema: Schema) -> Any:
    return parse_schema(_without_logical_types(schema))


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    if isinstance(schema, list):
        return [_without_logical_types(item) for item in schema]
    return schema


def _names(record: Any) -> list[str]:
    return [field.name for field in fields(record)] if is_dataclass(record) else list(record.__struct_fields__)


def _written(record: Any) -> list[str]:
    """Return the names on the wire, which a struct may write otherwise (`rename`)."""
    return _names(record) if is_dataclass(record) else list(record.__struct_encode_fields__)


def _converted(record: Any, convert: Callable[[Any], Callable[[Any], Any]]) -> dict[str, Callable[[Any], Any]]:
    """Return what to do with the fields that are records themselves, or tuples of them."""
    found: dict[str, Callable[[Any], Any]] = {}
    for field in fields(record) if is_dataclass(record) else ():
        [of, *_] = get_args(field.type) or [field.type]
        if is_dataclass(of):
            one = convert(of)
            found[field.name] = partial(_each, one) if get_origin(field.type) is tuple else one
    return found


def _each(convert: Callable[[Any], Any], values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(map(convert, values))


def _to_dict(record: Any) -> Callable[[Any], dict[str, Any]]:
    names = _written(record)
    values = attrgetter(*_names(record))
    converted = _converted(record, _to_dict)

    def flat(value: Any) -> dict[str, Any]:
        return dict(zip(names, values(value), strict=True))

    def deep(value: Any) -> dict[str, Any]:
        result = flat(value)
        for name, convert in converted.items():
            result[name] = convert(result[name])
        return result

    return deep if converted else flat


def _from_dict(record: type[R], *, by_name: bool) -> Callable[[dict[str, Any]], R]:
    """Build by position where the dict is in field order, as it is when written with our own schema."""
    converted = _converted(record, partial(_from_dict, by_name=by_name))
    attributes = dict(zip(_written(record), _names(record), strict=True))

    def build(value: dict[str, Any]) -> R:
        for name, convert in converted.items():
            value[name] = convert(value[name])
        if by_name:
            return record(**{attributes[name]: content for name, content in value.items()})
        return record(*value.values())

    return build
