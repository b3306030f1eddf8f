"""Whether what is written under a schema can be read under another: Avro's rules, without a registry.

After "Schema Resolution" in the Avro 1.11 specification, for what our schemas use: records, primitives, unions, arrays.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fastavro import parse_schema

_PROMOTED = {"int": {"long", "float", "double"}, "long": {"float", "double"}, "float": {"double"}}


def why_unreadable(written: Mapping[str, Any], read: Mapping[str, Any]) -> str | None:
    """Return what in `read` cannot take what was written under `written`; None when everything can be read.

    Raises ValueError when one of them is no Avro schema.
    """
    for schema in (written, read):
        try:
            parse_schema(dict(schema), _write_hint=False)
        except Exception as broken:  # fastavro raises several kinds
            raise ValueError(f"{schema.get('name', 'a schema')} is no Avro schema: {broken}") from broken
    return _why(written, read, str(read.get("name", "")))


def _why(written: Any, read: Any, at: str) -> str | None:
    if isinstance(written, list):
        return next((why for branch in written if (why := _why(branch, read, at))), None)
    if isinstance(read, list):
        taken = any(_why(written, branch, at) is None for branch in read)
        return None if taken else f"{at}: takes no {_kind(written)}"
    before, after = _kind(written), _kind(read)
    if before == after and before in _NESTED:
        return _NESTED[before](written, read, at)
    promoted = after in _PROMOTED.get(before, ()) or {before, after} == {"string", "bytes"}
    return None if promoted or before == after else f"{at}: is {after} and was {before}"


def _why_record(written: Mapping[str, Any], read: Mapping[str, Any], at: str) -> str | None:
    if written["name"].rpartition(".")[2] != read["name"].rpartition(".")[2]:
        return f"{at}: is called {read['name']} and was called {written['name']}"
    before = {field["name"]: field for field in written["fields"]}
    for field in read["fields"]:
        names = (field["name"], *field.get("aliases", ()))
        source = next((before[name] for name in names if name in before), None)
        if source is None:
            if "default" not in field:
                return f"{at}.{field['name']}: is new and has no default"
        elif why := _why(source["type"], field["type"], f"{at}.{field['name']}"):
            return why
    return None


def _why_enum(written: Any, read: Any, at: str) -> str | None:
    lost = set(written["symbols"]) - set(read["symbols"])
    return f"{at}: does not know {min(lost)}" if lost and "default" not in read else None


def _why_fixed(written: Any, read: Any, at: str) -> str | None:
    same = written["size"] == read["size"]
    return None if same else f"{at}: has {read['size']} bytes and had {written['size']}"


_NESTED: Mapping[str, Callable[[Any, Any, str], str | None]] = {
    "record": _why_record,
    "array": lambda written, read, at: _why(written["items"], read["items"], f"{at}[]"),
    "map": lambda written, read, at: _why(written["values"], read["values"], f"{at}{{}}"),
    "enum": _why_enum,
    "fixed": _why_fixed,
}


def _kind(schema: Any) -> str:
    kind = schema["type"] if isinstance(schema, Mapping) else schema
    return _kind(kind) if isinstance(kind, Mapping) else str(kind)
