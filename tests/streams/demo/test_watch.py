from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from connectors.kafka.embedded import EmbeddedBroker
from schemas.avro import Codec
from schemas.dead_letters import DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.envelope import EVENT_ID, SOURCE_POSITION
from schemas.records import CampaignHour, RoutingResult, Summary
from schemas.releases import FileSchemaIds
from schemas.topics import (
    CAMPAIGN_HOURLY,
    DEAD_LETTERS,
    GUEST_ADMITTED,
    GUEST_THROTTLED,
    RAW_INTERACTIONS,
    ROUTING_RESULTS,
    ROUTING_RETRIES,
)
from streams.demo.board import Board
from streams.demo.watch import Watch

SUMMARY = Summary(p50=1, p90=2, p95=3, min=0, max=9, mean=2)
ROW = CampaignHour("a", 0, 5, SUMMARY, SUMMARY, 1, final=False, exact=True)


@pytest.fixture(name="broker", scope="module")
def _broker() -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker()
    yield broker
    broker.close()


@pytest.fixture(name="watch")
def _watch(broker: EmbeddedBroker) -> Iterator[Watch]:
    watch = Watch(broker.bootstrap_servers)
    yield watch
    watch.close()


def test_folds_rows_and_dead_letters_into_the_board(broker: EmbeddedBroker, watch: Watch) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    producer.produce(CAMPAIGN_HOURLY.name, Codec(FileSchemaIds()).encoder(CampaignHour)(ROW), b"a|0")
    headers = [(DEAD_STAGE, b"normalise"), (DEAD_SOURCE, b"raw:0:1"), (DEAD_REASON, b"duration")]
    producer.produce(DEAD_LETTERS.name, b"{", headers=headers)
    producer.flush(10)
    board = Board()

    for _ in range(100):
        watch.read(board, 0.1)
        if board.rows and board.dead_letters:
            break

    assert list(board.rows.values()) == [ROW]
    assert board.dead_letters == {"duration": 1}


def test_folds_what_became_of_guests_into_the_board(broker: EmbeddedBroker, watch: Watch) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    result = RoutingResult("e-1", "c", None, "q", "r", 1, 0, 0, 0.25, within_target=True)
    for topic, event, value in (
        (GUEST_ADMITTED, b"e-1", b"is not read"),
        (GUEST_ADMITTED, b"e-1", b"comes again"),
        (GUEST_THROTTLED, b"e-2", b"is not read"),
        (ROUTING_RESULTS, b"e-1", Codec(FileSchemaIds()).encoder(RoutingResult)(result)),
    ):
        position = b"0:" + event.removeprefix(b"e-")
        producer.produce(topic.name, value, b"c", headers=[(SOURCE_POSITION, position), (EVENT_ID, event)])
    producer.flush(10)
    board = Board()

    for _ in range(100):
        watch.read(board, 0.1)
        if board.guests.admitted.count and board.guests.throttled.count and board.guests.routed.count:
            break

    guests = board.guests
    assert (guests.admitted.events, guests.throttled.events) == ({"0:1": "e-1"}, {"0:2": "e-2"})
    assert (guests.routed.count, guests.within_target, guests.percentile(0.5)) == (1, 1.0, 0.25)


def test_what_waits_for_a_retry_is_lag(broker: EmbeddedBroker, watch: Watch) -> None:
    before = watch.lag()["routing"]
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    producer.produce(ROUTING_RETRIES[-1].name, b"waits")
    producer.flush(10)

    assert watch.lag()["routing"] == before + 1


def test_lag_is_what_a_stage_has_not_committed(broker: EmbeddedBroker, watch: Watch) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for number in range(10):
        producer.produce(RAW_INTERACTIONS.name, b"{}", partition=number % 2)
    producer.flush(10)
    assert watch.lag()["normalise"] == 10

    stage = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "cxone-normalise"})
    stage.commit(offsets=[TopicPartition(RAW_INTERACTIONS.name, 0, 5)], asynchronous=False)
    stage.close()

    assert watch.lag()["normalise"] == 5
