"""A point of growth on a real Kafka: small, and whole."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.growth import measure as growth
from benchmarks.growth.measure import CHANGELOG, Bench, Growth, LogSize, NoFigure
from benchmarks.growth.points import Point
from benchmarks.growth.traffic import Traffic
from benchmarks.results import Rows
from benchmarks.topics import Topics
from deploy.local.kafka.broker import Broker

POINT = Point(events=4_000, campaigns=30, partitions=3, hours=3)


@pytest.fixture(name="bench")
def _bench(own_kafka: Broker, tmp_path: Path) -> Iterator[Bench]:
    with closing(Topics(own_kafka.bootstrap)) as topics:
        yield Bench(topics, tmp_path / "kafka" / "log", print)


def test_a_point_has_all_its_figures(bench: Bench, tmp_path: Path) -> None:
    found = bench.measure(POINT)

    assert isinstance(found, Growth), found
    assert found.windows <= 90
    assert found.changelog_records >= 1
    assert 0 < found.changelog_bytes * POINT.events <= LogSize(tmp_path / "kafka" / "log", CHANGELOG.name).look()
    for recovery in (found.memory, found.rocksdb):
        if recovery is not None:
            assert 0 < recovery.seconds < recovery.ready
            assert 0 < recovery.blocked.p999 <= recovery.blocked.worst
            assert recovery.mb > 10


def test_a_point_with_a_wrong_window_has_no_figure(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(Traffic):
        def rows(self) -> Rows:
            """Have one wait time of one window be another."""
            rows = dict(super().rows())
            window, row = rows.popitem()
            return {**rows, window: (*row[:-1], row[-1] + 1)}

    monkeypatch.setattr(growth, "Traffic", Other)

    found = bench.measure(POINT)

    assert isinstance(found, NoFigure)
    assert "1 of" in found.why
    assert "windows are wrong, so there is no figure" in found.why
