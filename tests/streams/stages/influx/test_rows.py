"""Rows of hours in, points and dead letters out."""

from dataclasses import replace

import pytest

from schemas.avro import Codec
from schemas.dead_letters import DEAD_DETAIL, DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.envelope import Consumed
from schemas.records import CampaignHour, Summary
from schemas.releases import FileSchemaIds
from schemas.topics import DEAD_LETTERS
from streams.core.contract import Chunk
from streams.stages.influx.points import line
from streams.stages.influx.rows import OUT_OF_RANGE, REFUSED, UNDECODABLE, Points, Rows

CODEC = Codec(FileSchemaIds())
encode, decode = CODEC.encoder(CampaignHour), CODEC.decoder(CampaignHour)

SUMMARY = Summary(1.0, 2.0, 3.0, 0.0, 4.0, 2.0)
ROW = CampaignHour("sales", 1_795_251_600_000, 3, SUMMARY, SUMMARY, revision=1, final=False, exact=True)
HEADERS = (("trace", b"7"),)


def record(offset: int, row: CampaignHour) -> Consumed:
    return Consumed(offset, encode(row), b"key", HEADERS)


def fold(*records: Consumed) -> tuple[int, Points]:
    rows = Rows(5, decode=decode)
    refused = rows.fold(Chunk("cxone.campaign.hourly", 5, records))
    return refused, rows.flush(0.0, seal=True)


def test_a_row_is_a_point() -> None:
    refused, points = fold(record(0, ROW))

    assert refused == 0
    assert [point.line for point in points.points] == [line(ROW)]
    assert points


def test_of_several_rows_of_an_hour_the_newest_is_written() -> None:
    newest = replace(ROW, count=9, revision=2)

    _, points = fold(record(0, ROW), record(1, newest))

    assert [point.line for point in points.points] == [line(newest)]


def test_hours_and_campaigns_are_points_of_their_own() -> None:
    rows = [ROW, replace(ROW, campaign_id="other"), replace(ROW, hour_start=ROW.hour_start + 3_600_000)]

    _, points = fold(*(record(i, row) for i, row in enumerate(rows)))

    assert [point.line for point in points.points] == [line(row) for row in rows]


def test_a_tombstone_takes_back_no_point() -> None:
    refused, points = fold(record(0, ROW), Consumed(1, None, b"key"))

    assert refused == 0
    assert len(points.points) == 1


def test_a_flush_is_what_came_since_the_last() -> None:
    rows = Rows(5, decode=decode)
    rows.fold(Chunk("cxone.campaign.hourly", 5, [record(0, ROW), Consumed(1, b"{}")]))
    rows.flush(0.0, seal=True)

    assert not rows.flush(0.0, seal=True)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", UNDECODABLE),
        (b"{}", UNDECODABLE),
        (encode(replace(ROW, handle=replace(SUMMARY, p95=float("nan")))), OUT_OF_RANGE),
        (encode(replace(ROW, hour_start=2**62)), OUT_OF_RANGE),
    ],
)
def test_what_can_be_no_point_is_a_dead_letter_as_it_came(value: bytes, reason: str) -> None:
    refused, points = fold(Consumed(7, value, b"key", HEADERS), record(8, ROW))

    (letter,) = points.outputs
    headers = dict(letter.headers)
    assert refused == 1
    assert len(points.points) == 1
    assert (letter.topic, letter.key, letter.value) == (DEAD_LETTERS.name, b"key", value)
    assert letter.headers[:1] == HEADERS
    assert headers[DEAD_REASON] == reason.encode()
    assert headers[DEAD_STAGE] == b"influx"
    assert headers[DEAD_SOURCE] == b"cxone.campaign.hourly:5:7"


def test_a_point_that_influxdb_refuses_is_a_dead_letter_with_its_words() -> None:
    _, points = fold(record(7, ROW))
    (point,) = points.points

    letter = point.refused("field type conflict")

    headers = dict(letter.headers)
    assert letter.value == encode(ROW)
    assert headers[DEAD_REASON] == REFUSED.encode()
    assert headers[DEAD_DETAIL] == b"field type conflict"
    assert headers[DEAD_SOURCE] == b"cxone.campaign.hourly:5:7"
