"""Writes Grafana's dashboards: `python deploy/grafana/generate.py`. A test holds their queries to the metrics."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "dashboards"
WIDE, HIGH = 12, 8  # of 24 columns


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph, or with `stat` a number. `queries` are (PromQL, legend)."""

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    stat: bool = False


def _quantiles(metric: str, by: str = "", where: str = "") -> list[tuple[str, str]]:
    labels = f"le, {by}" if by else "le"
    legend = f"{{{{{by}}}}} " if by else ""
    return [
        (f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{where}[5m])))", f"{legend}p{q * 100:g}")
        for q in (0.5, 0.95, 0.99)
    ]


_REFUSED = "sum by (of) (rate(cxone_refused_records_total[5m]))"
_HANDLED = "sum by (of) (rate(cxone_handled_records_total[5m]))"

OVERVIEW = (
    Panel(
        "Programs that answer",
        [('sum(up{job="cxone-streams"})', "up"), ('count(up{job="cxone-streams"})', "of")],
        stat=True,
    ),
    Panel("Not ready", [("sum by (of) (cxone_ready == bool 0)", "{{of}}")]),
    Panel("Records behind, by stage", [("sum by (stage) (cxone_lag_records)", "{{stage}}")]),
    Panel("Acknowledged a second", [("sum by (stage) (rate(cxone_acknowledged_offset[1m]))", "{{stage}}")]),
    Panel("Event time behind the clock", [("max by (topic) (time() - cxone_event_time_seconds)", "{{topic}}")], "s"),
    Panel("Refused", [(f"{_REFUSED} / {_HANDLED}", "{{of}}")], "percentunit"),
    Panel(
        "Dead letters a second",
        [("sum by (stage, reason) (rate(cxone_dead_letters_total[1m]))", "{{stage}}: {{reason}}")],
    ),
    Panel("Age of tokens", [("time() - max by (server) (cxone_token_granted_seconds)", "{{server}}")], "s"),
    Panel("Sockets open", [("sum by (connector) (cxone_socket_open)", "{{connector}}")]),
    Panel(
        "Answers of other systems a second",
        [("sum by (peer, status) (rate(cxone_http_answers_total[1m]))", "{{peer}} {{status}}")],
    ),
)
STAGE = (
    Panel("Records behind, by partition", [('cxone_lag_records{stage="$stage"}', "{{topic}} {{partition}}")]),
    Panel(
        "Acknowledged a second", [('sum by (topic) (rate(cxone_acknowledged_offset{stage="$stage"}[1m]))', "{{topic}}")]
    ),
    Panel(
        "Partitions owned",
        [
            ('sum(cxone_partitions_owned{stage="$stage"})', "owned"),
            ('max(cxone_partitions{stage="$stage"})', "there are"),
        ],
    ),
    Panel("Ready", [('min(cxone_ready{of="$stage"})', "ready")]),
    Panel(
        "Replays skipped a second",
        [('sum by (topic) (rate(cxone_replays_skipped_total{stage="$stage"}[1m]))', "{{topic}}")],
    ),
    Panel("Refused a second", [('sum by (of) (rate(cxone_refused_records_total{of=~".*$stage.*"}[1m]))', "{{of}}")]),
    Panel(
        "Read, and nothing acknowledged for", [('max(cxone_unacknowledged_seconds{stage="$stage"})', "longest")], "s"
    ),
    Panel(
        "Records of a chunk",
        _quantiles("cxone_chunk_records", where='{stage="$stage"}'),
    ),
    Panel(
        "From the log to the acknowledgement",
        _quantiles("cxone_settled_seconds", where='{stage="$stage"}'),
        "s",
    ),
    Panel("Keys of state", [('sum by (changelog) (cxone_state_keys{changelog=~"cxone-$stage-.*"})', "{{changelog}}")]),
    Panel("State restored in", [('max(cxone_recovery_seconds{stage="$stage"})', "longest")], "s"),
    Panel("Memory", [('process_resident_memory_bytes{program="$stage"}', "{{instance}}")], "bytes"),
    Panel("CPU", [('rate(process_cpu_seconds_total{program="$stage"}[1m])', "{{instance}}")], "percentunit"),
)
GUESTS = (
    Panel("Frames a second", [("sum by (outcome) (rate(cxone_messages_frames_total[1m]))", "{{outcome}}")]),
    Panel(
        "Admitted and throttled a second",
        [("sum by (outcome) (rate(cxone_rate_limit_messages_total[1m]))", "{{outcome}}")],
    ),
    Panel("From the socket to the routing answer", _quantiles("cxone_routing_seconds"), "s"),
    Panel("Routed in time", [("min(cxone_routing_within_target)", "share")], "percentunit", stat=True),
    Panel("Answers of CXone a second", [("sum by (status) (rate(cxone_routing_answers_total[1m]))", "{{status}}")]),
    Panel("Waiting for another attempt", [("sum(cxone_routing_waiting)", "waiting")]),
    Panel("CRM: records a second", [("sum by (outcome) (rate(cxone_crm_records_total[1m]))", "{{outcome}}")]),
    Panel("From the socket to the CRM", _quantiles("cxone_crm_seconds"), "s"),
    Panel("Throttled by limit, a second", [("sum by (limit) (rate(cxone_rate_limit_full_total[1m]))", "{{limit}}")]),
)
WEBHOOKS = (
    Panel("Requests a second", [("sum by (status) (rate(cxone_webhooks_request_seconds_count[1m]))", "{{status}}")]),
    Panel("From the headers to the answer", _quantiles("cxone_webhooks_request_seconds"), "s"),
    Panel(
        "Waiting for a commit", [("sum(cxone_webhooks_queue)", "queue"), ("sum(cxone_webhooks_in_flight)", "in flight")]
    ),
    Panel(
        "Transactions a second",
        [
            ("sum by (program) (rate(cxone_kafka_transaction_commits_total[1m]))", "{{program}} committed"),
            ("sum by (program) (rate(cxone_kafka_transaction_aborts_total[1m]))", "{{program}} aborted"),
        ],
    ),
    Panel(
        "Scores a second",
        [
            ("sum(rate(cxone_scoring_scored_total[1m]))", "scored"),
            ("sum by (status) (rate(cxone_scoring_answers_total[1m]))", "{{status}}"),
        ],
    ),
    Panel("The model's answers", _quantiles("cxone_scoring_seconds"), "s"),
)
SNAPSHOTS = (
    Panel("Analytics frames a second", [("sum by (outcome) (rate(cxone_analytics_frames_total[1m]))", "{{outcome}}")]),
    Panel("Final minutes an hour", [("sum by (outcome) (increase(cxone_alerts_minutes_total[1h]))", "{{outcome}}")]),
    Panel("Alerts open", [("max by (severity) (cxone_alerts_open)", "{{severity}}")]),
    Panel("Alerts written an hour", [("sum by (state) (increase(cxone_alerts_told_total[1h]))", "{{state}}")]),
    Panel(
        "Told to the receiver an hour", [("sum by (outcome) (increase(cxone_notify_told_total[1h]))", "{{outcome}}")]
    ),
    Panel(
        "Event time of analytics behind the clock",
        [('max by (partition) (time() - cxone_event_time_seconds{topic="cxone.raw.analytics"})', "{{partition}}")],
        "s",
    ),
)
STAGES = {
    "name": "stage",
    "type": "query",
    "datasource": {"type": "prometheus", "uid": "prometheus"},
    "query": "label_values(cxone_partitions, stage)",
    "refresh": 2,
}
DASHBOARDS = {
    "overview": ("cxone-streams: overview", OVERVIEW),
    "stage": ("cxone-streams: a stage", STAGE),
    "guests": ("cxone-streams: guests", GUESTS),
    "webhooks": ("cxone-streams: webhooks", WEBHOOKS),
    "snapshots": ("cxone-streams: minutes and alerts", SNAPSHOTS),
}


def dashboard(name: str) -> dict[str, Any]:
    """Return a dashboard as Grafana reads it."""
    title, panels = DASHBOARDS[name]
    return {
        "uid": f"cxone-streams-{name}",
        "title": title,
        "schemaVersion": 39,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "utc",
        "templating": {"list": [STAGES] if name == "stage" else []},
        "panels": [_panel(at, each) for at, each in enumerate(panels)],
    }


def _panel(at: int, panel: Panel) -> dict[str, Any]:
    return {
        "id": at + 1,
        "type": "stat" if panel.stat else "timeseries",
        "title": panel.title,
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "gridPos": {"x": at % 2 * WIDE, "y": at // 2 * HIGH, "w": WIDE, "h": HIGH},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": list(_targets(panel.queries)),
    }


def _targets(queries: Iterable[tuple[str, str]]) -> Iterable[dict[str, str]]:
    for at, (query, legend) in enumerate(queries):
        yield {"refId": chr(ord("A") + at), "expr": query, "legendFormat": legend}


def text(name: str) -> str:
    """Return the file of a dashboard."""
    return json.dumps(dashboard(name), indent=1) + "\n"


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(text(name))


if __name__ == "__main__":
    main()
