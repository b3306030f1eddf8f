"""The bytes of a known caller -> the id they go by, or why they cannot be used. No I/O."""

from dataclasses import dataclass

import orjson

from schemas.frame_fields import LONGEST_ID, Paths
from schemas.written_ids import is_id, written_id

NOT_JSON = "not JSON"
NOT_AN_OBJECT = "not a JSON object"
NO_ID = "id"


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
    found = written_id(content, body, paths)
    if isinstance(found, str) and is_id(found):
        return found
    where = " or ".join(".".join(path) for path in paths)
    if found is None:
        return Unusable(NO_ID, f"{where} is missing")
    if not isinstance(found, str):
        return Unusable(NO_ID, f"{where} must be text or a number")
    return Unusable(NO_ID, f"{where} must have 1 to {LONGEST_ID} characters without NUL")


def _reason(error: orjson.JSONDecodeError) -> str:
    return f"{error.msg.partition(':')[0]} (character {error.pos})"
