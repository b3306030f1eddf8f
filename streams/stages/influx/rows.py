"""Rows of campaign hours -> points. Upserts by campaign and hour, so of several rows only the newest is written."""

from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.avro import DecodeError
from schemas.dead_letters import dead_letter
from schemas.envelope import Outgoing, Record
from schemas.records import CampaignHour
from schemas.topics import CAMPAIGN_HOURLY
from streams.core.contract import Chunk, Flush
from streams.stages.influx.points import line

STAGE = "influx"
UNDECODABLE = "undecodable"
OUT_OF_RANGE = "out of range"
REFUSED = "refused by InfluxDB"


@dataclass(frozen=True, slots=True)
class Point:
    """A line of line protocol, and the record that it came from."""

    line: str
    partition: int
    record: Record

    def refused(self, detail: str) -> Outgoing:
        return _refuse(self.partition, self.record, REFUSED, detail)


@dataclass(slots=True)
class Points(Flush):
    """A flush of the sink: points to write, beside dead letters to publish."""

    points: list[Point] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.points or self.outputs)


class Rows:
    """The rows of one partition since the last flush. Nothing is stored: the topic is the buffer."""

    def __init__(self, partition: int, *, decode: Callable[[bytes], CampaignHour]) -> None:
        self._partition, self._decode = partition, decode
        self._points: dict[tuple[str, int], Point] = {}
        self._refused: list[Outgoing] = []

    def fold(self, chunk: Chunk) -> int:
        """Turn rows into points. Returns how many were refused."""
        refused_before = len(self._refused)
        for record in chunk.records:
            if record.value is None:
                continue  # compaction's tombstone of a row; a point is not taken back by it
            try:
                row = self._decode(record.value)
                point = Point(line(row), self._partition, record)
            except DecodeError as error:
                self._refused.append(_refuse(self._partition, record, UNDECODABLE, str(error)))
            except ValueError as error:
                self._refused.append(_refuse(self._partition, record, OUT_OF_RANGE, str(error)))
            else:
                self._points[row.campaign_id, row.hour_start] = point
        return len(self._refused) - refused_before

    def flush(self, _now: float, *, seal: bool) -> Points:  # noqa: ARG002 - there is nothing to seal
        points = Points(points=list(self._points.values()), outputs=self._refused)
        self._points, self._refused = {}, []
        return points


def _refuse(partition: int, record: Record, reason: str, detail: str) -> Outgoing:
    return dead_letter(CAMPAIGN_HOURLY.name, partition, record, stage=STAGE, reason=reason, detail=detail)
