r"""A strict reader of InfluxDB's line protocol, written from its grammar and held against influxd 2.7.12.

    measurement[,tag=value]... field=value[,field=value]... [timestamp]

A comma, space or equals sign is escaped when a backslash stands before it, and only then is the backslash dropped. So
nothing escapes a backslash, and a tag value that ends in one swallows what follows it: exactly influxd's behaviour.
"""

import re
from dataclasses import dataclass

Value = float | int | str | bool

_LIMITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_MAX_TIME, _MIN_TIME = 2**63 - 2, -(2**63) + 2
_MAX_INT, _MIN_INT = 2**63 - 1, -(2**63)
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d+i")
_UNSIGNED = re.compile(r"\d+u")
_BOOLEANS = {word: word[0] in "tT" for word in ("t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE")}


class LineError(ValueError):
    """A line that influxd would refuse; says why in influxd's words where it has them."""


@dataclass(frozen=True, slots=True)
class Point:
    """One parsed line. `time` in nanoseconds since the epoch, None where the line has none."""

    measurement: str
    tags: tuple[tuple[str, str], ...]  # sorted by key
    fields: dict[str, Value]
    time: int | None


def parse(body: str, precision: str) -> list[Point]:
    """Parse every line of a write. Empty lines and lines that begin with # are passed over.

    Raises LineError for the first line that isn't right, or for an unknown precision.
    """
    if precision not in _LIMITS:
        raise LineError(f'precision "{precision}" must be one of s, ms, us, ns')
    points = []
    for line in split_lines(body):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                points.append(parse_line(line.strip(" \t\r"), precision))
            except LineError as error:
                raise LineError(f"unable to parse '{line}': {error}") from error
    return points


def split_lines(body: str) -> list[str]:
    """Split at newlines, by influxd's rule: a backslash hides the character after it, a quoted field value hides all.

    That isn't the rule by which a line is then read: after two backslashes a space ends the tags here, but not there.
    """
    lines: list[str] = []
    start = at = equals = commas = 0
    in_fields = quoted = False
    while at < len(body):
        char = body[at]
        if char == "\\" and at + 2 < len(body):
            at += 2
            continue
        if char == "\n" and not quoted:
            lines.append(body[start:at])
            start, equals, commas, in_fields = at + 1, 0, 0, False
        elif char == " ":
            in_fields = True
        elif in_fields and char == '"' and equals > commas:
            quoted = not quoted
        elif in_fields and not quoted:
            equals, commas = equals + (char == "="), commas + (char == ",")
        at += 1
    return [*lines, body[start:]]


def parse_line(line: str, precision: str) -> Point:
    """Parse one line. Raises LineError."""
    measurement, at = _until(line, 0, ", ")
    if not measurement:
        raise LineError("missing measurement")
    tags: dict[str, str] = {}
    while at < len(line) and line[at] == ",":
        key, at = _until(line, at + 1, "=, ")
        if not key:
            raise LineError("missing tag key")
        if at == len(line) or line[at] != "=":
            raise LineError("missing tag value")
        value, at = _until(line, at + 1, "=, ")
        if not value:
            raise LineError("missing tag value")
        if at < len(line) and line[at] == "=":
            raise LineError("invalid tag format")
        if key in tags:
            raise LineError("duplicate tags")
        tags[key] = value
    fields, at = _fields(line, at)
    return Point(measurement, tuple(sorted(tags.items())), fields, _time(line[at:].strip(" "), precision))


def _until(line: str, start: int, stops: str) -> tuple[str, int]:
    """Read up to the first of `stops` that has no backslash before it; return what was read, unescaped, and where."""
    at = start
    while at < len(line) and not (line[at] in stops and (at == start or line[at - 1] != "\\")):
        at += 1
    return re.sub(r"\\([,= ])", r"\1", line[start:at]), at


def _fields(line: str, at: int) -> tuple[dict[str, Value], int]:
    fields: dict[str, Value] = {}
    while at < len(line) and line[at] == " ":
        at += 1
    while True:
        key, at = _field_key(line, at)
        if not key:
            raise LineError("missing fields")
        if at == len(line) or line[at] != "=":
            raise LineError("missing field value")
        if line[at + 1 : at + 2] == '"':
            fields[key], at = _quoted(line, at + 2)
        else:
            end = next((i for i in range(at + 1, len(line)) if line[i] in ", "), len(line))
            fields[key], at = _value(line[at + 1 : end]), end
        if at == len(line) or line[at] == " ":
            return fields, at
        if line[at] != ",":
            raise LineError("invalid field format")
        at += 1


def _field_key(line: str, start: int) -> tuple[str, int]:
    """As `_until`, by the other rule: among fields, a backslash hides the character after it, even a backslash.

    influxd finds the end of the field by one rule and then that of its name by the other: both have to agree.
    """
    at = start
    while at < len(line) and line[at] not in "=, ":
        at += 2 if line[at] == "\\" else 1
    at = min(at, len(line))
    if line[start:at].endswith("\\"):
        raise LineError("invalid value")
    return re.sub(r"\\([,= ])", r"\1", line[start:at]), at


def _quoted(line: str, start: int) -> tuple[str, int]:
    at = start
    while at < len(line) and line[at] != '"':
        at += 2 if line[at] == "\\" else 1
    if at >= len(line):
        raise LineError("unbalanced quotes")
    return re.sub(r'\\(["\\])', r"\1", line[start:at]), at + 1


def _value(text: str) -> Value:
    if not text:
        raise LineError("missing field value")
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text) or _UNSIGNED.fullmatch(text):
        number = int(text[:-1])
        if not _MIN_INT <= number <= _MAX_INT:
            raise LineError(f"unable to parse integer {text[:-1]}: value out of range")
        return number
    if _FLOAT.fullmatch(text) and abs(float(text)) != float("inf"):
        return float(text)
    raise LineError("invalid number" if text[0] in "+-.0123456789" else "invalid boolean")


def _time(text: str, precision: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"-?\d+", text):
        raise LineError("bad timestamp")
    time = int(text) * _LIMITS[precision]
    if not _MIN_TIME <= time <= _MAX_TIME:
        raise LineError(f"time outside range {_MIN_TIME} - {_MAX_TIME}")
    return time
