"""What came out of the topology, read from its topics, beside what should have."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.avro import Codec
from schemas.dead_letters import DEAD_SOURCE
from schemas.envelope import SOURCE_POSITION
from schemas.records import CampaignHour, Summary
from schemas.releases import FileSchemaIds
from schemas.topics import CAMPAIGN_HOURLY, DEAD_LETTERS, INTERACTIONS_COMPLETED, RAW_INTERACTIONS
from tests.kafka.services.traffic import Traffic, Window
from tests.kafka.services.workers import until

FLOW = {"cxone-normalise": RAW_INTERACTIONS.name, "cxone-percentiles": INTERACTIONS_COMPLETED.name}


def read(bootstrap: str, topic: str) -> list[Any]:
    """Return every record of a topic, of each partition in order."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "judge", "log_level": 0})
    ends = _ends(consumer, topic)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
    records: list[Any] = []
    while any(at.offset < ends[at.partition] for at in consumer.position(consumer.assignment()) if ends[at.partition]):
        for record in consumer.consume(10_000, 0.2):
            assert record.error() is None, record.error()
            records.append(record)
    consumer.close()
    return records


def lag(bootstrap: str, group: str, topic: str) -> int:
    """Return how many offsets of `topic` the group has not committed."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})
    try:
        ends = _ends(consumer, topic)
        committed = consumer.committed([TopicPartition(topic, partition) for partition in ends], timeout=60)
        return sum(ends[at.partition] - max(at.offset, 0) for at in committed)
    finally:
        consumer.close()


def _ends(consumer: Any, topic: str) -> dict[int, int]:
    """Return the end of each partition. A broker that was away gets its partitions back a moment after its return."""
    partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
    for _ in range(30):
        try:
            return {
                one: consumer.get_watermark_offsets(TopicPartition(topic, one), timeout=60)[1] for one in partitions
            }
        except KafkaException as failure:
            if failure.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
                raise
            time.sleep(1)
    raise AssertionError(f"Kafka does not say who leads the partitions of {topic}")


def await_committed(bootstrap: str, within: float, flow: Mapping[str, str] = FLOW) -> None:
    """Wait until each group, in flow order, has committed up to the end of its topic."""
    for group, topic in flow.items():

        def committed(group: str = group, topic: str = topic) -> bool:
            try:
                return lag(bootstrap, group, topic) == 0
            except KafkaException:  # a broker that was just killed
                return False

        until(committed, within, f"{group} has committed all of {topic}")


def replays(bootstrap: str) -> int:
    """Return how often a completed interaction was published once more: what kills make readers skip."""
    positions = [dict(record.headers())[SOURCE_POSITION] for record in read(bootstrap, INTERACTIONS_COMPLETED.name)]
    return len(positions) - len(set(positions))


def mistakes(bootstrap: str, traffic: Traffic) -> list[str]:
    """Compare what was published with a batch computation over what was produced: a sentence for each difference."""
    decode = Codec(FileSchemaIds()).decoder(CampaignHour)
    rows: dict[Window, CampaignHour] = {}
    wrong: list[str] = []
    for record in read(bootstrap, CAMPAIGN_HOURLY.name):
        row = decode(record.value())
        window = row.campaign_id, row.hour_start
        if window in rows and rows[window].revision > row.revision:
            wrong.append(f"{window} went back from revision {rows[window].revision} to {row.revision}")
        rows[window] = row
    wrong += [f"{window} should not be there" for window in rows.keys() - traffic.truth.keys()]
    wrong += [f"{window} is missing" for window in traffic.truth.keys() - rows.keys()]
    for window in rows.keys() & traffic.truth.keys():
        wrong += _differences(rows[window], traffic.truth[window])
    counted, sent = sum(row.count for row in rows.values()), sum(map(len, traffic.truth.values()))
    if counted != sent:
        wrong.insert(0, f"{counted} events are counted of {sent}")
    sources = (dict(record.headers())[DEAD_SOURCE].decode() for record in read(bootstrap, DEAD_LETTERS.name))
    dead = {source for source in sources if source.partition(":")[0] in FLOW.values()}
    wrong += [f"{source} is no dead letter" for source in traffic.malformed - dead]
    wrong += [f"{source} should be no dead letter" for source in dead - traffic.malformed]
    return wrong


def _differences(row: CampaignHour, durations: Sequence[tuple[int, int]]) -> list[str]:
    name = f"{row.campaign_id} at {row.hour_start}"
    if row.count != len(durations):
        return [f"{name}: count is {row.count}, should be {len(durations)}"]
    handle, wait = np.array(durations, float).T
    return [
        f"{name}: {what} is {found}, should be {expected}"
        for what, found, expected in (
            ("handle time", row.handle, _summary(handle)),
            ("wait time", row.wait, _summary(wait)),
        )
        if not np.allclose(_figures(found), _figures(expected), rtol=1e-9)
    ]


def _summary(values: Any) -> Summary:
    p50, p90, p95 = np.percentile(values, [50, 90, 95])
    return Summary(p50, p90, p95, min=values.min(), max=values.max(), mean=values.mean())


def _figures(summary: Summary) -> list[float]:
    return [summary.p50, summary.p90, summary.p95, summary.min, summary.max, summary.mean]
