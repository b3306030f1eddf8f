"""The bytes of a known caller -> the id they go by, or why they cannot be used. No I/O."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from schemas.frame_fields import LONGEST_ID, Paths, first

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_JSON = "not JSON"
NOT_AN_OBJECT = "not a JSON object"
NO_ID = "id"

_LARGEST_INTEGER = 2**63


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why nothing can be made of a body: one of the fixed reasons, and a sentence that repeats nothing of it."""

    reason: str
    detail: str


def identify(body: bytes, paths: Paths) -> str | Unusable:
    """Return the first id that `paths` lead to. A number is taken as its digits, as they were written.

    Text must have 1 to `LONGEST_ID` characters without NUL: an id that everybody shares, such as an empty one, would
    put everything under one key.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return Unusable(NOT_JSON, f"the body is not JSON: {_reason(error)}")
    if not isinstance(content, dict):
        return Unusable(NOT_AN_OBJECT, "the body must be a JSON object")
    found = first(content, paths)
    if isinstance(found, float) or (isinstance(found, int) and abs(found) >= _LARGEST_INTEGER):
        found = _as_written(body, paths)  # a float may have lost digits
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    where = " or ".join(".".join(path) for path in paths)
    if found is None:
        return Unusable(NO_ID, f"{where} is missing")
    if not isinstance(found, str):
        return Unusable(NO_ID, f"{where} must be text or a number")
    if not 0 < len(found) <= LONGEST_ID or "\0" in found:
        return Unusable(NO_ID, f"{where} must have 1 to {LONGEST_ID} characters without NUL")
    return found


def _as_written(body: bytes, paths: Paths) -> object:
    text: Callable[[str], str] = str
    try:
        return first(json.loads(body, parse_float=text, parse_int=text), paths)
    except (ValueError, RecursionError):  # what orjson takes, up to its nesting of 1,024
        return None


def _reason(error: orjson.JSONDecodeError) -> str:
    return f"{error.msg.partition(':')[0]} (character {error.pos})"
