"""Event time on a real Kafka: a week of backlog, read at once and read again, is what it would have been live."""

import time
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.records import CampaignHour
from schemas.releases import FileSchemaIds
from schemas.topics import CAMPAIGN_HOURLY
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.hours import FLOW, await_committed, mistakes, read
from tests.kafka.services.traffic import HOUR, Traffic
from tests.kafka.services.workers import until
from tests.kafka.test_worker import create_topics

WEEK = 7 * 24 * HOUR
EVENTS = 15_000
SETTINGS = {"STREAMS_IDLE_AFTER": "3"}


def finality(bootstrap: str) -> dict[tuple[str, int], tuple[bool, int]]:
    """Return what the newest row of each hour says: final, and how many it counts."""
    decode = Codec(FileSchemaIds()).decoder(CampaignHour)
    rows = [decode(record.value()) for record in read(bootstrap, CAMPAIGN_HOURLY.name)]
    return {(row.campaign_id, row.hour_start): (row.final, row.count) for row in rows}


def await_final(bootstrap: str) -> int:
    """Wait until every hour that has ended by the lateness is final; return which time that is, in ms."""
    now = time.time_ns() // 1_000_000
    until(
        lambda: all(final for (_, hour), (final, _) in finality(bootstrap).items() if hour + 2 * HOUR < now),
        60,
        "every hour that has ended is final",
    )
    return now


def begin_again(bootstrap: str) -> None:
    """Set the groups of both stages back to where their topics begin."""
    for group, topic in FLOW.items():
        consumer: Any = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})
        partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
        consumer.commit(offsets=[TopicPartition(topic, partition, 0) for partition in partitions], asynchronous=False)
        consumer.close()


def test_a_week_of_backlog_is_counted_and_closed_as_it_would_have_been_live(
    own_kafka: Broker, new_worker: NewWorker, seed: int
) -> None:
    read_a_week(own_kafka, new_worker, seed, EVENTS)


def test_hours_become_final_behind_several_workers_of_a_raw_stage(
    own_kafka: Broker, new_worker: NewWorker, seed: int
) -> None:
    create_topics(own_kafka, partitions=4)
    workers = [
        new_worker(own_kafka.bootstrap, stage, **SETTINGS) for stage in ("normalise", "normalise", "percentiles")
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.ready()
    traffic = Traffic(own_kafka.bootstrap, seed=seed, events=400, rate=1e9, span=4 * HOUR)
    traffic.start()
    traffic.finish()
    await_committed(own_kafka.bootstrap, within=60)

    await_final(own_kafka.bootstrap)
    assert mistakes(own_kafka.bootstrap, traffic) == []


def read_a_week(own_kafka: Broker, new_worker: NewWorker, seed: int, events: int) -> None:
    """Read a week of `events` from its backlog, and all of it again beside live traffic: the same rows."""
    create_topics(own_kafka, partitions=12)
    week = Traffic(own_kafka.bootstrap, seed=seed, events=events, rate=1e9, span=WEEK)
    week.start()
    week.finish()
    worker = new_worker(own_kafka.bootstrap, "normalise", "percentiles", **SETTINGS).start()
    worker.ready()
    await_committed(own_kafka.bootstrap, within=120)

    ended = await_final(own_kafka.bootstrap)
    assert mistakes(own_kafka.bootstrap, week) == []
    before = finality(own_kafka.bootstrap)
    assert {final for (_, hour), (final, _) in before.items() if hour + HOUR > ended} <= {False}

    assert worker.terminate() == 0
    begin_again(own_kafka.bootstrap)
    live = Traffic(own_kafka.bootstrap, seed=seed + 1, events=500, rate=100, span=HOUR // 60)
    live.start()
    worker.start().ready()
    live.finish()
    await_committed(own_kafka.bootstrap, within=120)

    after = finality(own_kafka.bootstrap)
    assert worker.runs
    for key, (final, count) in before.items():
        if key not in live.truth:
            assert after[key] == (final or after[key][0], count)  # an hour may have become final meanwhile
