"""JSON from outside -> values within bounds: what may lie at any place of it, also where nobody looks.

Beyond them a value costs whoever takes it apart more than its bytes: recursion, digits, copies of long lists.
"""

import re
from dataclasses import dataclass

import orjson

DEEPEST = 64  # levels of objects and arrays
LONGEST_TEXT = 100_000  # characters of a string, names included
LONGEST_NUMBER = 1_000  # characters
MOST_ENTRIES = 10_000  # of an array or an object

# What is no longer than this and has no more openings of either kind lies within all of them.
_SMALL = LONGEST_NUMBER  # bytes
_FEW = DEEPEST // 2

NOT_JSON = "not JSON"
TOO_DEEP = "too deep"
TOO_LONG = "too long"

_LONG_NUMBER = re.compile(rb"(?<![0-9.eE+-])[0-9.eE+-]{%d}" % (LONGEST_NUMBER + 1))
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why bytes are not read: one of the three reasons, and a sentence that repeats nothing of them."""

    reason: str
    detail: str


_DEEP = Unreadable(TOO_DEEP, f"objects and arrays are nested more than {DEEPEST} deep")
_NUMBER = Unreadable(TOO_LONG, f"a number has more than {LONGEST_NUMBER} characters")
_TEXT = Unreadable(TOO_LONG, f"a string has more than {LONGEST_TEXT} characters")
_MANY = Unreadable(TOO_LONG, f"an array or an object has more than {MOST_ENTRIES} entries")


def read(data: bytes) -> object | Unreadable:
    """Return what the JSON in `data` says."""
    try:
        content: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if error.msg.startswith("depth limit exceeded"):
            return _DEEP
        if error.msg.startswith("number is infinity") and _LONG_NUMBER.search(data):
            return _NUMBER
        return Unreadable(NOT_JSON, str(error))
    if len(data) <= _SMALL and data.count(b"[") <= _FEW and data.count(b"{") <= _FEW:
        return content
    if _LONG_NUMBER.search(data) and _LONG_NUMBER.search(_STRING.sub(b"", data)):
        return _NUMBER
    return _beyond(content) or content


def _beyond(content: object) -> Unreadable | None:
    """Look at one level after the other, which needs no recursion."""
    level, depth = [content] if isinstance(content, dict | list) else [], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            return _DEEP
        below: list[dict[str, object] | list[object]] = []
        for outer in level:
            if len(outer) > MOST_ENTRIES:
                return _MANY
            for value in (*outer, *outer.values()) if isinstance(outer, dict) else outer:
                if isinstance(value, str):
                    if len(value) > LONGEST_TEXT:
                        return _TEXT
                elif isinstance(value, dict | list):
                    below.append(value)
        level = below
    return None
