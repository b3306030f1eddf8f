"""The door and its transactions through outages and kills, on a real Kafka: `make faults` runs it."""

import asyncio

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from connectors.errors import PublishError
from connectors.kafka.publisher import transactional_config
from connectors.kafka.transactions import TransactionalPublisher
from deploy.local.kafka.broker import Broker
from schemas.envelope import Outgoing
from tests.support.committed import read_committed


async def started(bootstrap: str, transactional_id: str) -> TransactionalPublisher:
    publisher = TransactionalPublisher(transactional_config({"bootstrap.servers": bootstrap}, transactional_id))
    await publisher.start()
    return publisher


async def test_after_an_outage_publishing_goes_on(own_kafka: Broker) -> None:
    admin = AdminClient({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0})
    admin.create_topics([NewTopic("topic", 1)])["topic"].result(30)
    publisher = await started(own_kafka.bootstrap, "outage")
    await publisher.publish([Outgoing("topic", b"k", b"before")])
    await asyncio.to_thread(own_kafka.kill)
    with pytest.raises(PublishError):
        await publisher.publish([Outgoing("topic", b"k", b"meanwhile")])
    assert publisher.blocked is not None or publisher.initialisations > 1
    await asyncio.to_thread(own_kafka.start)

    async with asyncio.timeout(5):
        while True:
            try:
                await publisher.publish([Outgoing("topic", b"k", b"after")])
            except PublishError:
                continue
            break

    assert [message.value() for message in read_committed(own_kafka.bootstrap, "topic")] == [b"before", b"after"]
    await publisher.close()
