"""What a worker or a connector says of itself at /metrics, as it is when it is asked."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Progress = Mapping[tuple[str, int], tuple[int, int]]


class Probed(Protocol):
    """A stage's app or a connector's socket, as far as probes look at it."""

    def why_not_alive(self) -> str | None: ...
    def why_not_ready(self) -> str | None: ...


class Working(Probed, Protocol):
    """A stage's app, as far as its figures go."""

    def partitions(self) -> set[int]: ...
    def source_partitions(self) -> int | None: ...
    def progress(self) -> Progress:
        """Return (topic, partition) -> (acknowledged up to, end)."""

    def unacknowledged(self) -> float:
        """Return for how many seconds something was read and nothing acknowledged."""


class Figures(Collector):
    """Of a process: `of` has what it runs by name, stages among them by themselves again in `stages`."""

    def __init__(self, of: Mapping[str, Probed], stages: Mapping[str, Working]) -> None:
        self._of, self._stages = of, stages

    def collect(self) -> Iterable[Metric]:
        """Yield the figures."""
        alive = GaugeMetricFamily("cxone_alive", "1 where /livez says so.", labels=["of"])
        ready = GaugeMetricFamily("cxone_ready", "1 where /readyz says so: it does its share.", labels=["of"])
        for name, app in self._of.items():
            alive.add_metric([name], app.why_not_alive() is None)
            ready.add_metric([name], app.why_not_ready() is None)
        yield from (alive, ready)
        owned = GaugeMetricFamily(
            "cxone_partitions_owned", "Partitions of its source that this worker reads.", labels=["stage"]
        )
        there = GaugeMetricFamily("cxone_partitions", "Partitions that the source of a stage has.", labels=["stage"])
        where = ["stage", "topic", "partition"]
        lag = GaugeMetricFamily("cxone_lag_records", "Offsets that are not acknowledged.", labels=where)
        done = GaugeMetricFamily("cxone_acknowledged_offset", "Up to where a partition is acknowledged.", labels=where)
        age = GaugeMetricFamily(
            "cxone_unacknowledged_seconds",
            "For how long something was read and nothing acknowledged.",
            labels=["stage"],
        )
        for name, app in self._stages.items():
            age.add_metric([name], app.unacknowledged())
            if (partitions := app.source_partitions()) is not None:
                owned.add_metric([name], len(app.partitions()))
                there.add_metric([name], partitions)
            for (topic, partition), (ready_up_to, end) in app.progress().items():
                lag.add_metric([name, topic, str(partition)], max(0, end - ready_up_to))
                done.add_metric([name, topic, str(partition)], ready_up_to)
        yield from (owned, there, lag, done, age)
