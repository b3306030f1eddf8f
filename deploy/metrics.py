"""The catalogue of metrics, as the code registers them; `python deploy/metrics.py` writes docs/metrics.md from it.

A test holds the page, the alert rules and the dashboards to it.
"""

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import prometheus_client
from prometheus_client.registry import Collector

import connectors
import streams
from streams.programs.figures import Figures

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
UNITS = ("seconds", "bytes", "records")
HEAD = """\
# Metrics

Written by `python deploy/metrics.py` from what the code registers; edit the code. Every worker and connector serves
them at `/metrics` on `STREAMS_HTTP_PORT` (the webhook door on its own port), beside those of its process
(`process_start_time_seconds`, `process_resident_memory_bytes`, `process_cpu_seconds_total`).

A counter's name ends with `_total`; a histogram has `_bucket`, `_sum` and `_count`. Labels have few values each:
outcomes, statuses, stages, topics, partitions and queues. What alerts make of them: [runbook.md](runbook.md).
"""


@dataclass(frozen=True, slots=True)
class Described:
    """One metric. `unit` is empty where it counts."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def unit(self) -> str:
        return next((unit for unit in UNITS if self.name.endswith(f"_{unit}")), "")

    @property
    def series(self) -> frozenset[str]:
        """The names that Prometheus has of it."""
        if self.kind == "histogram":
            return frozenset(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return frozenset({f"{self.name}_total" if self.kind == "counter" else self.name})


def catalogue() -> tuple[Described, ...]:
    """Return every metric of ours, by name."""
    for package in (connectors, streams):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found = [_registered(each) for each in vars(prometheus_client.REGISTRY)["_collector_to_names"]]
    ours = {each.name: each for each in (*found, *_at_request()) if each is not None}
    return tuple(ours[name] for name in sorted(ours))


def _registered(collector: Collector) -> Described | None:
    has = vars(collector)
    if not str(has.get("_name", "")).startswith("cxone_"):
        return None
    return Described(has["_name"], type(collector).__name__.lower(), tuple(has["_labelnames"]), has["_documentation"])


def _at_request() -> Iterable[Described]:
    """Describe what is made when it is asked for."""
    for metric in Figures({}, {}).collect():
        yield Described(metric.name, metric.type, tuple(vars(metric)["_labelnames"]), metric.documentation)


def page(metrics: Iterable[Described]) -> str:
    """Return the page of the catalogue."""
    rows = [
        f"| `{each.name}{'_total' if each.kind == 'counter' else ''}` | {each.kind} | "
        f"{', '.join(f'`{label}`' for label in each.labels)} | {each.unit} | {each.meaning} |"
        for each in metrics
    ]
    return "\n".join([HEAD, "| name | type | labels | unit | meaning |", "|---|---|---|---|---|", *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(page(catalogue()))
