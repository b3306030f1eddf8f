from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from connectors.embedded import EmbeddedBroker
from schemas.avro import Codec, FileSchemaIds
from schemas.records import DEAD_REASON, DEAD_SOURCE, CampaignHour, Summary
from schemas.topics import CAMPAIGN_HOURLY, DEAD_LETTERS, RAW_INTERACTIONS
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
    headers = [(DEAD_SOURCE, b"raw:0:1"), (DEAD_REASON, b"duration")]
    producer.produce(DEAD_LETTERS.name, b"{", headers=headers)
    producer.flush(10)
    board = Board()

    for _ in range(100):
        watch.read(board, 0.1)
        if board.rows and board.dead_letters:
            break

    assert list(board.rows.values()) == [ROW]
    assert board.dead_letters == {"duration": 1}


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
