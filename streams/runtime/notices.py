"""What cores noticed beside what they write: replays that were skipped, and what a person must read at once."""

from collections.abc import Iterable

import structlog
from prometheus_client import Counter

from streams.core.contract import Flush

log = structlog.get_logger()

REPLAYS = Counter(
    "cxone_replays_skipped", "Records that a stage skipped because it had taken them before.", ["stage", "topic"]
)


def tell(stage: str, flushes: Iterable[Flush]) -> None:
    """Count the replays of `flushes`, and log their alarms at ERROR."""
    for flush in flushes:
        for topic, skipped in flush.replays.items():
            REPLAYS.labels(stage, topic).inc(skipped)
        for alarm in flush.alarms:
            log.error("a source position cannot be right", stage=stage, reason=alarm)
