"""What is measured of growth, what has to come out, and how it is shown."""

import json
from collections import defaultdict
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from benchmarks.growth import beats, plot, report
from benchmarks.growth.beats import Blocked
from benchmarks.growth.measure import Deadline, Growth, LogSize, NoFigure, Recovery
from benchmarks.growth.points import AXES, BASE, Point, points
from benchmarks.growth.traffic import STARTED_AT, Traffic
from benchmarks.process import ProcessFailed
from benchmarks.results import HOUR_MS, Truth, require_equal
from connectors.simulator.interactions.frames import Event
from schemas.avro import Codec
from schemas.envelope import Consumed
from schemas.records import EventTimeProgress, InteractionCompleted
from schemas.releases import FileSchemaIds
from streams.core.taken import Taken

SMALL = Point(events=3_000, campaigns=20, partitions=3, hours=4)
decode = Codec(FileSchemaIds()).decoder(InteractionCompleted)


def test_one_thing_is_varied_at_a_time() -> None:
    found = points()

    assert found[0] == BASE
    assert len(found) == len(set(found)) == 9
    assert all(sum(getattr(each, axis) != getattr(BASE, axis) for axis in AXES) == 1 for each in found[1:])
    assert {each.events for each in found} == {10**5, 10**6, 10**7}
    assert {each.campaigns for each in found} == {200, 2_000, 20_000}
    assert {each.partitions for each in found} == {1, 12, 100, 1_000}
    assert {each.hours for each in found} == {4, 48}


def test_fewer_events_are_fewer_of_all_points() -> None:
    assert {each.events for each in points(1_000)} == {100, 1_000, 10_000}


def test_what_normalise_writes_holds_the_events_that_the_batch_counts() -> None:
    """Read back as percentiles reads it, and computed by the other batch computation of the benchmarks."""
    traffic, truth, taken = Traffic(SMALL), Truth(), Taken("completed")
    for number, outgoing in enumerate(traffic.records()):
        record = Consumed(number, outgoing.value, outgoing.key, outgoing.headers)
        source = taken.new(record)
        assert source is not None
        taken.positions[source[0]] = source[1]
        event = decode(outgoing.value or b"")
        assert outgoing.key == event.campaign_id.encode()
        truth.add(
            Event(
                event.event_id or "",
                event.campaign_id,
                event.completed_at,
                int(event.handle_time),
                int(event.wait_time),
            )
        )

    assert truth.events == SMALL.events
    require_equal(truth.rows(), traffic.rows(), of="growth")
    assert sum(taken.positions.values()) == SMALL.events - SMALL.partitions


def test_one_event_more_is_in_the_window_that_it_names() -> None:
    traffic = Traffic(SMALL)
    list(traffic.records())
    before = traffic.rows()

    window, (record,) = traffic.late()

    event = decode(record.value or b"")
    assert (event.campaign_id, event.completed_at - event.completed_at % HOUR_MS) == window
    assert traffic.row(window)[0] == before[window][0] + 1
    require_equal({**before, window: traffic.row(window)}, traffic.rows(), of="growth")


def test_all_hours_but_the_last_are_final_when_event_time_has_been_told() -> None:
    traffic, decode_progress = Traffic(SMALL), Codec(FileSchemaIds()).decoder(EventTimeProgress)
    list(traffic.records())

    told = [decode_progress(record.value or b"") for record in traffic.progress([10, 0, 5])]

    assert [each.partition for each in told] == [0, 1, 2]
    assert all(each.reached == [9, -1, 4] and each.partitions == 3 for each in told)
    assert min(each.passed for each in told) > STARTED_AT + 3.9 * HOUR_MS
    assert [traffic.final(STARTED_AT + hour * HOUR_MS, 300_000) for hour in range(4)] == [True, True, True, False]


def test_a_quantile_lies_on_a_straight_line_in_its_bucket() -> None:
    inf = float("inf")
    late = {0.01: 990.0, 0.02: 998.0, 0.05: 1000.0, inf: 1000.0}

    assert beats.quantile(0.999, late, {}) == pytest.approx(0.02 + 0.03 / 2)
    assert beats.quantile(0.5, late, {}) == pytest.approx(0.01 * 500 / 990)
    assert beats.quantile(0.999, {0.01: 1.0, inf: 10.0}, {}) == 0.01, "no bound is known of what is beyond the last"


def test_beats_of_before_do_not_count() -> None:
    inf = float("inf")
    before = {0.01: 0.0, 0.02: 50.0, inf: 50.0}

    assert beats.quantile(0.999, {0.01: 1000.0, 0.02: 1050.0, inf: 1050.0}, before) == pytest.approx(0.00999)


def test_a_quantile_is_not_above_the_worst() -> None:
    """Its bucket has a bound that nothing reached."""
    now = beats.Figures({0.1: 10.0, 0.2: 20.0, float("inf"): 20.0}, longest=0.13, recovery=0, keys=0)

    assert beats.blocked(now) == Blocked(130.0, 130.0)
    assert beats.blocked(now, beats.Figures({0.1: 0.0, 0.2: 10.0, float("inf"): 10.0}, 1.0, 0, 0)).p999 < 100.0


def test_what_a_worker_says_is_read() -> None:
    text = """\
# HELP cxone_loop_blocked_seconds How late
cxone_loop_blocked_seconds_bucket{le="0.001"} 7.0
cxone_loop_blocked_seconds_bucket{le="+Inf"} 9.0
cxone_loop_blocked_longest_seconds 0.25
cxone_recovery_seconds{stage="percentiles"} 1.5
cxone_state_keys{changelog="cxone-percentiles-windows-changelog"} 42.0
"""
    figures = beats.Figures.read(text)

    assert figures == beats.Figures({0.001: 7, float("inf"): 9}, longest=0.25, recovery=1.5, keys=42)


def test_a_log_counts_as_large_as_it_was_before_it_was_cleaned(tmp_path: Path) -> None:
    def write(folder: str, name: str, size: int) -> None:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_bytes(b"x" * size)

    log = LogSize(tmp_path, "changelog")
    write("changelog-0", "00.log", 100)
    write("changelog-1", "00.log", 30)
    write("changelog-1", "00.index", 1000)
    write("changelog-1.4f-delete", "00.log", 1000)
    write("changelog-of-another-0", "00.log", 1000)
    first = log.look()
    write("changelog-0", "00.log", 10)
    write("changelog-0", "07.log", 5)

    assert (first, log.look()) == (130, 135)


def test_a_point_that_takes_too_long_ends_and_says_where_it_was() -> None:
    Deadline(60).check("working")

    with pytest.raises(ProcessFailed, match=r"longer than 0 s in all; it was still filling the topic"):
        Deadline(0).check("filling the topic")


def measured(point: Point, **other: Any) -> Growth:
    recovery = Recovery(seconds=1.2, ready=3.0, us_a_window=20.0, mb=200.0, blocked=Blocked(5.0, 40.0))
    figures: dict[str, Any] = {
        "windows": 8_000,
        "us_an_event": 4.0,
        "per_second": 200_000.0,
        "start_cpu": 0.9,
        "peak_mb": 300.0,
        "blocked": Blocked(9.0, 48.0),
        "changelog_bytes": 120.0,
        "changelog_records": 3.0,
        "memory": recovery,
        "rocksdb": recovery,
    }
    return Growth(point, **(figures | other))


def figures() -> dict[str, Any]:
    found: list[Growth | NoFigure] = [measured(point) for point in points()]
    found[-1] = NoFigure(found[-1].point, "it took <too> long")
    found[-2] = measured(found[-2].point, rocksdb=None, us_an_event=4321.0)
    as_json: dict[str, Any] = json.loads(json.dumps(report.as_json(found)))
    return as_json


def test_the_plot_is_small_and_has_a_panel_for_each_figure_and_axis() -> None:
    drawn = plot.svg(figures())

    root = ET.fromstring(drawn)
    texts = [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert len(drawn) < 30_000
    assert all(texts.count(axis) == 1 for axis in ("events", "campaigns", "partitions", "hours"))
    assert all(title in texts for title, _ in plot.ROWS)
    places: defaultdict[str, int] = defaultdict(int)
    for each in root.iter("{http://www.w3.org/2000/svg}circle"):
        x, y = float(each.attrib["cx"]), float(each.attrib["cy"])
        places[each.attrib["class"]] += 1
        assert 0 <= x <= float(root.attrib["width"])
        assert 0 <= y <= float(root.attrib["height"])
    # 3 + 3 + 4 + 2 places of a series, without the point that has no figure; the first of six rows, and so on
    assert places["ka"] == 6 * 11
    assert places["kb"] == 2 * 11 + 2 * 10, "the second series of four rows, two of them RocksDB's"


def test_a_plot_is_higher_where_something_costs_more() -> None:
    scale = plot._Scale([4.0, 4321.0], low=100, high=0, rounded=True)

    assert (scale.ticks[0], scale.ticks[-1]) == (2.0, 5000.0)
    assert scale.at(2.0) == 100
    assert scale.at(5000.0) == pytest.approx(0)
    assert scale.at(100.0) == pytest.approx(50)
    assert scale.at(0) == 100, "nothing lies at the bottom"


@pytest.mark.parametrize(
    ("smallest", "largest", "ticks"),
    [(4, 4, [2, 5]), (1, 1, [1, 2]), (230, 900, [200, 500, 1000]), (0.3, 60, [0.2, 1, 5, 20, 100])],
)
def test_lines_of_a_plot_are_round_numbers(smallest: float, largest: float, ticks: list[float]) -> None:
    assert plot._around(smallest, largest) == pytest.approx(ticks)


def test_the_table_tells_all_axes_and_why_a_point_has_no_figure() -> None:
    console = Console(width=200, record=True, file=StringIO())

    report.show(console, figures())

    rows = report.rows(figures())
    assert [row[:2] for row in rows][:4] == [
        ("events", "100,000"), ("events", "1,000,000"), ("events", "10,000,000"), ("campaigns", "200"),
    ]  # fmt: skip
    assert [row[3] for row in rows if row[0] == "partitions"] == ["4.0", "4.0", "4321.0", report.NONE]
    assert len(rows) == 3 + 3 + 4 + 2
    assert "1,000 partitions, 4 h: it took <too> long" in console.export_text()


def test_the_markdown_has_the_same_rows() -> None:
    lines = report.markdown(figures()).splitlines()

    assert len(lines) == 2 + 12
    assert {line.count("|") for line in lines} == {len(report.COLUMNS) + 3}
    assert lines[2].startswith("| events | 100,000 | 8,000 | 4.0 |")
