"""The points that a stand-in InfluxDB keeps: upserted by measurement, tags and time, as the real one does."""

from collections.abc import Sequence
from typing import Any

from connectors.simulator.influx.line_protocol import Point, Value

_NAMES: dict[type, str] = {float: "float", int: "integer", bool: "boolean", str: "string"}


class PointStore:
    """Field types are fixed by the first write of a field, per measurement."""

    def __init__(self) -> None:
        self._types: dict[tuple[str, str], type] = {}
        self._kept: dict[tuple[str, tuple[tuple[str, str], ...], int], dict[str, Value]] = {}

    def write(self, points: Sequence[Point], now: float, refuse: str | None = None) -> str | None:
        """Keep what can be kept; return influxd's words about the rest, None when all were kept.

        The last value of a field wins. `refuse` drops points with a tag value that contains it.
        """
        dropped, reason = 0, ""
        for point in points:
            problem = _refused(point, refuse) or self._conflict(point)
            if problem:
                dropped, reason = dropped + 1, reason or problem
                continue
            time = point.time if point.time is not None else int(now * 1e9)
            self._kept.setdefault((point.measurement, point.tags, time), {}).update(point.fields)
            for name, value in point.fields.items():
                self._types.setdefault((point.measurement, name), type(value))
        if not dropped:
            return None
        return f"failure writing points to database: partial write: {reason} dropped={dropped}"

    def rows(self) -> list[dict[str, Any]]:
        """Return the points: `measurement`, `tags`, `fields` and `time` in nanoseconds since the epoch."""
        return [
            {"measurement": measurement, "tags": dict(tags), "fields": fields, "time": time}
            for (measurement, tags, time), fields in self._kept.items()
        ]

    def _conflict(self, point: Point) -> str | None:
        for name, value in point.fields.items():
            kept = self._types.get((point.measurement, name), type(value))
            if kept is not type(value):
                return (
                    f'field type conflict: input field "{name}" on measurement "{point.measurement}" is type '
                    f"{_NAMES[type(value)]}, already exists as type {_NAMES[kept]}"
                )
        return None


def _refused(point: Point, refuse: str | None) -> str | None:
    if refuse is not None and any(refuse in value for _, value in point.tags):
        return "points beyond retention policy"
    return None
