"""Whether bytes may be decoded with a schema that somebody else has registered."""

from typing import Any

DEEPEST = 16
LARGEST_FIXED = 1 << 20  # bytes
MOST_TYPES = 1000

_NAMED = ("record", "error", "enum", "fixed")
# Least bytes of a value
_PRIMITIVE = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}


def check_writer(schema: Any) -> None:
    """Raise ValueError unless `schema`, as fastavro parsed it, is a record that any bytes are decoded with in bounds.

    A type that holds itself can nest deeper than Python recurses. An array of values that take no bytes, such as
    `array<null>`, may claim 2^40 items in six bytes, which a decoder in C counts to the end.
    """
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise ValueError("is no record")
    _Checked().least(schema, 0)


class _Checked:
    def __init__(self) -> None:
        self._named: dict[str, int | None] = {}  # least bytes; None while the definition is open
        self._types = 0

    def least(self, schema: Any, depth: int) -> int:
        """Return the least bytes that a value takes."""
        self._types += 1
        if depth > DEEPEST:
            raise ValueError("is nested too deep")
        if self._types > MOST_TYPES:
            raise ValueError("has too many types")
        match schema:
            case str():
                return self._reference(schema)
            case list():
                return 1 + min((self.least(branch, depth + 1) for branch in schema), default=0)
            case {"type": "array" | "map"}:
                if not self.least(schema.get("items", schema.get("values")), depth + 1):
                    raise ValueError("has an array of values that take no bytes")
                return 1
            case {"type": str() | list() | dict() as inner} if inner not in _NAMED:
                return self.least(inner, depth + 1)
            case {"type": kind, "name": str(name)}:
                self._named[name] = None
                self._named[name] = least = self._defined(kind, schema, depth)
                return least
        raise ValueError("has a type that is none of Avro's")

    def _defined(self, kind: object, schema: dict[str, Any], depth: int) -> int:
        match schema:
            case {"fields": list(fields)} if kind in ("record", "error"):
                return sum(self.least(field["type"], depth + 1) for field in fields)
            case {"size": int(size)} if kind == "fixed" and 0 <= size <= LARGEST_FIXED:
                return size
            case {"symbols": list()} if kind == "enum":
                return 1
        raise ValueError("has a type that is none of Avro's")

    def _reference(self, name: str) -> int:
        if name in _PRIMITIVE:
            return _PRIMITIVE[name]
        if (least := self._named.get(name)) is None:
            raise ValueError("has a type that holds itself" if name in self._named else "names an unknown type")
        return least
