"""Whether an answer of 2xx to a list of rows says that some of them failed, in the ways in which CRMs do."""

from collections.abc import Mapping
from typing import Any

MULTI_STATUS = 207
_FIRST_FAILURE = 400  # among statuses

_COUNTS = ("failed", "failures", "failedCount", "failed_count", "numErrors", "num_errors", "errorCount", "error_count")
_ERRORS = ("error", "errors", "hasErrors", "has_errors")
_ITEMS = ("results", "items", "rows", "records", "responses", "data")
_SUCCESSES = ("success", "ok", "succeeded")
_STATUSES = ("status", "statusCode", "status_code", "code")
_FAILED = {"error", "failed", "failure", "rejected", "invalid", "partial", "partial_success", "partially_failed"}


def says_that_some_failed(status: int, body: Any) -> bool:
    """Return whether an answer to a list is no success of all of it.

    Args:
        status: a 2xx. 207 (RFC 4918) is the failure of some unless its items say otherwise.
        body: the parsed JSON, an object or a list of one object a row; anything else says nothing.
    """
    items = _items(body)
    if isinstance(body, Mapping) and _failed(body):
        return True
    if any(_failed(item) for item in items):
        return True
    return status == MULTI_STATUS and not (items and all(_succeeded(item) for item in items))


def _items(body: Any) -> list[Mapping[str, Any]]:
    if isinstance(body, Mapping):
        body = next((body[name] for name in _ITEMS if isinstance(body.get(name), list)), None)
    return [item for item in body if isinstance(item, Mapping)] if isinstance(body, list) else []


def _failed(answer: Mapping[str, Any]) -> bool:
    return (
        any(_is_some(answer.get(name)) for name in (*_COUNTS, *_ERRORS))
        or any(answer.get(name) is False for name in _SUCCESSES)
        or any(_is_failure(answer.get(name)) for name in _STATUSES)
    )


def _succeeded(answer: Mapping[str, Any]) -> bool:
    statuses = [answer[name] for name in _STATUSES if isinstance(answer.get(name), int)]
    return any(answer.get(name) is True for name in _SUCCESSES) or any(code < _FIRST_FAILURE for code in statuses)


def _is_some(value: Any) -> bool:
    """Return whether a count, a flag, a text or a list of errors is more than none."""
    return bool(value) and value not in ("0", "false", "none", "null")


def _is_failure(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() in _FAILED or (value.isascii() and value.isdecimal() and int(value[:4]) >= _FIRST_FAILURE)
    return isinstance(value, int) and not isinstance(value, bool) and value >= _FIRST_FAILURE
