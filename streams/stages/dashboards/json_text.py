"""JSON <-> values, without losing what other parsers lose: big integers, the digits of decimals, repeated names."""

import json
from collections.abc import Sequence
from typing import Any, Self

Json = dict[str, Any] | list[Any] | str | int | float | bool | None

DEEPEST = 64  # objects and lists in each other
MOST_VALUES = 50_000


class UnreadableError(ValueError):
    """Bytes that are no document."""


class Decimal(float):
    """A number with a fraction or an exponent, and how it was written."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number


def loads(data: bytes | str) -> Json:
    """Return the document in `data`. Raises UnreadableError, whatever the bytes are."""
    try:
        value: Json = json.loads(
            data, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_without_repeats
        )
    except RecursionError:
        raise UnreadableError("it is nested too deep") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise UnreadableError(f"it is no JSON: {error}") from None
    if _count(value, DEEPEST) > MOST_VALUES:
        raise UnreadableError(f"it has more than {MOST_VALUES:,} values")
    return value


def dumps(value: Any) -> bytes:
    """Return the text of a document: names in the order they have, no spaces, numbers as they were read."""
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts).encode()


def canonical(value: Any) -> bytes:
    """Return the same bytes for documents that mean the same, apart from times written differently."""
    return dumps(_sorted(value))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    if isinstance(value, float):
        return int(value) if value.is_integer() else float(value)
    return value


def _write(value: Any, parts: list[str]) -> None:
    if isinstance(value, dict):
        parts.append("{")
        for number, (name, item) in enumerate(value.items()):
            parts.append(f"{',' if number else ''}{_text(name)}:")
            _write(item, parts)
        parts.append("}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        parts.append("[")
        for number, item in enumerate(value):
            if number:
                parts.append(",")
            _write(item, parts)
        parts.append("]")
    elif isinstance(value, str):
        parts.append(_text(value))
    elif isinstance(value, Decimal):
        parts.append(value.text)
    else:
        parts.append(json.dumps(value, allow_nan=False))


def _text(value: str) -> str:
    # A half of a surrogate pair is no UTF-8, but it is JSON.
    return json.dumps(value, ensure_ascii=any("\ud800" <= letter <= "\udfff" for letter in value))


def _count(value: Json, left: int) -> int:
    if left < 0:
        raise UnreadableError("it is nested too deep")
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(_count(item, left - 1) for item in items)


def _no_constant(name: str) -> Json:
    raise UnreadableError(f"{name} is no number")


def _without_repeats(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise UnreadableError("a name occurs twice in an object")
    return found
