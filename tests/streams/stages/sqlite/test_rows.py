"""Records -> rows of the file."""

from dataclasses import replace

import pytest

from connectors.sinks.sqlite.statements import COLUMNS
from schemas.avro import Codec
from schemas.dead_letters import DEAD_REASON, DEAD_SOURCE
from schemas.envelope import Consumed
from schemas.records import AlertRecord, MetricSnapshot
from schemas.releases import FileSchemaIds
from schemas.topics import ALERTS, METRICS_SNAPSHOTS
from streams.core.contract import Chunk
from streams.stages.sqlite.rows import OF_ALERTS, SNAPSHOTS, Batch, Rows, feeds

CODEC = Codec(FileSchemaIds())
encode = CODEC.encoder(MetricSnapshot)
NOON = 1_795_694_400_000
MINUTE = MetricSnapshot(NOON, "", 5, 4, 61.5, 4.25, 3, revision=2, final=True, exact=False, heard=12)


def folded(*values: bytes | None, first: int = 10) -> Batch:
    rows = Rows(feeds(CODEC.decoder(MetricSnapshot), CODEC.decoder(AlertRecord)))
    records = [Consumed(first + n, value) for n, value in enumerate(values)]
    rows.fold(Chunk(METRICS_SNAPSHOTS.name, 0, records))
    return rows.flush(0.0, seal=True)


def test_a_minute_becomes_a_row_with_every_column() -> None:
    [row] = folded(encode(MINUTE)).rows

    assert row.table == SNAPSHOTS
    assert row.values == {
        "timestamp": "2026-11-26T12:01:00Z",
        "total_interactions": 5,
        "avg_handle_time": 61.5,
        "avg_wait_time": 4.25,
        "active_agents": 3,
        "window": "2026-11-26T12:00:00Z",
        "queue": "",
        "interactions": 4,
        "revision": 2,
        "final": 1,
        "exact": 0,
        "heard": 12,
    }
    assert set(row.values) == set(COLUMNS[SNAPSHOTS])


@pytest.mark.parametrize(("resolved_at", "text"), [(None, None), (NOON + 600_000, "2026-11-26T12:10:00Z")])
def test_an_alert_becomes_a_row_with_every_column(resolved_at: int | None, text: str | None) -> None:
    alert = AlertRecord(
        *("id", "long", "avg_handle_time", "q", "resolved", "critical", 361.0, 240.0, NOON),
        resolved_at=resolved_at,
        updated=NOON + 540_000,
        revision=3,
    )
    rows = Rows(feeds(CODEC.decoder(MetricSnapshot), CODEC.decoder(AlertRecord)))
    rows.fold(Chunk(ALERTS.name, 0, [Consumed(7, CODEC.encoder(AlertRecord)(alert))]))

    [row] = rows.flush(0.0, seal=True).rows

    assert row.table == OF_ALERTS
    assert row.values == {
        "timestamp": "2026-11-26T12:09:00Z",
        "metric": "avg_handle_time",
        "value": 361.0,
        "threshold": 240.0,
        "severity": "critical",
        "alert_id": "id",
        "rule": "long",
        "queue": "q",
        "state": "resolved",
        "opened_at": "2026-11-26T12:00:00Z",
        "resolved_at": text,
        "revision": 3,
    }
    assert set(row.values) == set(COLUMNS[OF_ALERTS])


def test_of_several_rows_of_a_minute_the_highest_revision_is_written() -> None:
    revisions = [encode(replace(MINUTE, revision=revision)) for revision in (1, 3, 2)]
    batch = folded(*revisions, encode(replace(MINUTE, queue="q")))

    assert [(row.values["queue"], row.revision) for row in batch.rows] == [("", 3), ("q", 2)]


def test_positions_cover_everything_that_was_read() -> None:
    assert folded(encode(MINUTE), b"\xff", None).positions == {(METRICS_SNAPSHOTS.name, 0): 13}
    assert not folded()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\xff", b"undecodable"),
        (encode(replace(MINUTE, avg_wait_time=float("nan"))), b"out of range"),
        (encode(replace(MINUTE, avg_handle_time=float("inf"))), b"out of range"),
        (encode(replace(MINUTE, window=2**62)), b"out of range"),
        (encode(replace(MINUTE, window=-(2**62))), b"out of range"),
    ],
)
def test_what_has_no_place_in_the_file_is_a_dead_letter(value: bytes, reason: bytes) -> None:
    batch = folded(value)

    [headers] = [dict(letter.headers) for letter in batch.outputs]
    assert (headers[DEAD_REASON], headers[DEAD_SOURCE]) == (reason, b"cxone.metrics.snapshots:0:10")
    assert batch.rows == []


def test_a_row_that_sqlite_refuses_is_a_dead_letter_too() -> None:
    [row] = folded(encode(MINUTE)).rows

    headers = dict(row.refused("too big").headers)

    assert headers[DEAD_REASON] == b"refused by SQLite"


def test_a_flush_begins_anew() -> None:
    rows = Rows(feeds(CODEC.decoder(MetricSnapshot), CODEC.decoder(AlertRecord)))
    rows.fold(Chunk(METRICS_SNAPSHOTS.name, 0, [Consumed(0, encode(MINUTE))]))
    rows.flush(0.0, seal=True)

    assert not rows.flush(0.0, seal=True)
