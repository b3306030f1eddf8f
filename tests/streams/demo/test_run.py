from io import StringIO
from pathlib import Path

import orjson
from rich.console import Console

from streams.demo.run import Options, run


async def test_a_bounded_demo_counts_every_event_and_routes_and_types_everything_once(tmp_path: Path) -> None:
    """The whole system, from the socket to InfluxDB, on the embedded broker."""
    screen = StringIO()
    options = Options(
        seconds=2, rate=400, speedup=3600, seed=7, redelivered=0.1, malformed=0.05, report=tmp_path / "report.json"
    )

    code = await run(options, Console(file=screen), tmp_path)

    assert code == 0, screen.getvalue()
    report = orjson.loads((tmp_path / "report.json").read_bytes())
    assert report["mismatches"] == 0
    assert report["windows_checked"] > 40
    assert report["events_sent"] == report["events_counted"] == 800 - report["events_malformed"]
    assert report["events_redelivered"] > 40
    assert sum(report["dead_letters"].values()) == report["events_malformed"] > 20
    guests = report["guests"]
    assert guests["sent"] == guests["admitted"] + guests["throttled"] > 3
    assert guests["routed"] > 0
    assert (guests["waiting"], guests["overtaken"], guests["unaccounted"]) == (0, 0, 0)
    minutes = report["minutes"]
    assert minutes["rows"] > 4
    assert minutes["events_sent"] + sum(minutes["dead_letters"].values()) == 40
    dashboards = report["dashboards"]
    assert (dashboards["turns"].keys(), dashboards["audit_holds"]) == ({"applied"}, True)
    assert dashboards["writes"] >= 3
    actions = report["actions"]
    assert actions["accepted"] == actions["typed"] + actions["changes"] > 3
    assert actions["scored"] == actions["typed"]
    assert actions["transactions"] > 3
    assert "0 mismatches" in screen.getvalue()
