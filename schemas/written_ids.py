"""Ids in JSON as they were written: a number is taken as its digits, also where a float would lose some."""

import json
from collections.abc import Callable, Mapping

from schemas.frame_fields import LONGEST_ID, Paths, first

_LARGEST_INTEGER = 2**63


def written_id(content: Mapping[str, object], body: bytes, paths: Paths) -> object:
    """Return the first value that `paths` lead to in `content`, which was read from `body`; a number as text."""
    found = first(content, paths)
    if isinstance(found, float) or (isinstance(found, int) and abs(found) >= _LARGEST_INTEGER):
        return _digits(body, paths)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return found


def is_id(value: object) -> bool:
    """Whether a value can be an id: text of 1 to `LONGEST_ID` characters without NUL."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_ID and "\0" not in value


def _digits(body: bytes, paths: Paths) -> object:
    text: Callable[[str], str] = str
    try:
        return first(json.loads(body, parse_float=text, parse_int=text), paths)
    except (ValueError, RecursionError):  # what orjson takes, up to its nesting of 1,024
        return None
