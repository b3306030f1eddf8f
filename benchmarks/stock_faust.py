"""The same job as a good Faust user writes it, record by record: `stock_faust.py percentiles|slice`.

Compare with the stages: no schemas, no dead-letter topics, no sink, no memory of what is counted already (after a kill
it counts twice) and nothing waits for the broker. What makes stock Faust fast is here: uvloop, orjson on raw bytes, a
lingering producer with large batches, no web server, no leader topic, big polls, and percentiles published once a
second for each changed window instead of for each event.
"""

import json
import os
import sys
from bisect import bisect_right
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import accumulate
from typing import Any

import mode.loop

mode.loop.use("uvloop")  # before Faust is imported

import faust  # noqa: E402
import orjson  # noqa: E402

HOUR_MS = 3_600_000
PUBLISH_INTERVAL = 1.0  # seconds
EARLIEST_YEAR = 2000
job = sys.argv[1]

app = faust.App(
    f"stock-{job}",
    broker=f"kafka://{os.environ['KAFKA_BOOTSTRAP_SERVERS']}",
    store="memory://",
    topic_partitions=int(os.environ["PARTITIONS"]),
    topic_allow_declare=False,
    topic_disable_leader=True,
    web_enabled=False,
    consumer_auto_offset_reset="earliest",
    broker_max_poll_records=5_000,
    broker_commit_interval=1.0,
    stream_buffer_maxsize=16_384,
    stream_recovery_delay=0.0,
    producer_linger=0.02,
    producer_max_batch_size=1 << 18,
    table_standby_replicas=0,
)


def raw_topic(name: str) -> Any:
    return app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")


frames, completed, hourly = raw_topic("stock.raw"), raw_topic("stock.completed"), raw_topic("stock.hourly")
windows = app.Table("windows", default=lambda: {"handle": {}, "wait": {}})
changed: set[str] = set()


def is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


async def normalise(stream: Any) -> None:
    async for value in stream:
        try:
            frame = orjson.loads(value)
            if frame["type"] != "interaction.completed":
                continue
            payload, event_id = frame["payload"], frame["eventId"]
            campaign, handle, wait = payload["campaignId"], payload["handleTime"], payload["waitTime"]
            at = datetime.fromisoformat(frame.get("timestamp") or payload["completionTime"])
        except (ValueError, KeyError, TypeError):
            continue
        if not (campaign and is_duration(handle) and is_duration(wait) and at.year >= EARLIEST_YEAR):
            continue
        if event_id in seen:
            continue
        seen[event_id] = 1
        interaction = {
            "event_id": event_id,
            "campaign_id": campaign,
            "handle_time": handle,
            "wait_time": wait,
            "completed_at": round(at.timestamp() * 1000),
        }
        await completed.send(key=campaign.encode(), value=orjson.dumps(interaction))


if job == "slice":
    seen = app.Table("seen")
    app.agent(frames, name="normalise")(normalise)


@app.agent(completed, name="percentiles")  # type: ignore[untyped-decorator]
async def percentiles(stream: AsyncIterator[bytes]) -> None:
    async for value in stream:
        event = orjson.loads(value)
        at = event["completed_at"]
        key = f"{event['campaign_id']}|{at - at % HOUR_MS}"
        window = windows[key]
        for name in ("handle", "wait"):
            counts, seconds = window[name], str(event[f"{name}_time"])
            counts[seconds] = counts.get(seconds, 0) + 1
        windows[key] = window
        changed.add(key)


@app.timer(PUBLISH_INTERVAL)  # type: ignore[untyped-decorator]
async def publish() -> None:
    due = list(changed)
    changed.clear()
    for key in due:
        window = windows[key]
        row = [sum(window["handle"].values()), *quantiles(window["handle"]), *quantiles(window["wait"])]
        await hourly.send(key=key.encode(), value=orjson.dumps(row))


def quantiles(counts: dict[str, int]) -> list[float]:
    """Return p50, p90 and p95, by linear interpolation between closest ranks."""
    ordered = sorted(counts, key=float)
    values, upto = list(map(float, ordered)), list(accumulate(map(counts.__getitem__, ordered)))
    last = upto[-1] - 1
    found = []
    for share in (0.50, 0.90, 0.95):
        low = int(share * last)
        below, above = (values[bisect_right(upto, rank)] for rank in (low, min(low + 1, last)))
        found.append(below + (above - below) * (share * last - low))
    return found


@app.on_rebalance_complete.connect  # type: ignore[untyped-decorator]
async def ready(*_: object, **__: object) -> None:
    sys.stdout.write(json.dumps({"ready": [job]}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    faust.Worker(app, loglevel="WARNING", quiet=True, redirect_stdouts=False).execute_from_commandline()
