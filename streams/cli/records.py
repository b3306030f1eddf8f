"""Records of any topic -> lines for a person or a program. Pure."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from schemas.avro import DecodeError
from schemas.envelope import Found
from schemas.json_limits import Unreadable, read

LONGEST_VALUE = 2000  # characters in a line for a person

Decode = Callable[[bytes], tuple[str, dict[str, Any]]]


def as_object(found: Found, decode: Decode) -> dict[str, Any]:
    """Return what is printed of a record as JSON. `type` names the Avro schema and is null for other bytes."""
    name, value = _value(found.value, decode)
    return {
        "partition": found.partition,
        "offset": found.offset,
        "time": time_text(found.timestamp),
        "key": None if found.key is None else _plain(found.key),
        "type": name,
        "value": value,
        "headers": {header: _plain(content) for header, content in found.headers},
    }


def as_json(found: Found, decode: Decode) -> str:
    """Return one line of JSON: see `as_object`."""
    return orjson.dumps(as_object(found, decode), default=_plain).decode()


def matches(wanted: Mapping[str, str], shown: Mapping[str, Any]) -> bool:
    """Whether what is shown of a record has every wanted text under its path, such as `key` or `value.queue_id`.

    A header is under `headers.` and its name; what is no text is compared as JSON.
    """
    return all(_text(_under(shown, path)) == text for path, text in wanted.items())


def _under(shown: Any, path: str) -> Any:
    head, _, rest = path.partition(".")
    if not isinstance(shown, Mapping):
        return None
    return shown.get(path) if path in shown or not rest else _under(shown.get(head), rest)


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=_plain).decode()


def as_line(found: Found, decode: Decode) -> str:
    """Return a line for a terminal: whatever could move its cursor is written as an escape."""
    name, value = _value(found.value, decode)
    text = value if isinstance(value, str) else orjson.dumps(value, default=_plain).decode()
    shown = f"{name} {text}" if name else text
    if len(shown) > LONGEST_VALUE:
        shown = f"{shown[:LONGEST_VALUE]}… ({len(shown)} characters)"
    key = "-" if found.key is None else str(_plain(found.key))
    return escaped(f"{found.partition}:{found.offset}  {time_text(found.timestamp)}  {key}  {shown}")


def _value(data: bytes | None, decode: Decode) -> tuple[str | None, Any]:
    if data is None:
        return None, None
    try:
        return decode(data)
    except DecodeError:
        pass
    content = read(data)  # within bounds: what is nested deeper can be read and not be written again
    return None, _plain(data) if isinstance(content, Unreadable) else content


def _plain(content: object) -> str:
    if isinstance(content, bytes):
        try:
            return content.decode()
        except UnicodeDecodeError:
            return f"base64:{b64encode(content).decode()}"
    return str(content)


def time_text(ms: int) -> str:
    """Return a time (ms since the epoch) as ISO 8601 in UTC; a number that is no time as it is."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return str(ms)


def escaped(text: str) -> str:
    """Return a text with whatever could move a terminal's cursor as an escape."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in text
    )
