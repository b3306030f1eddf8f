"""The door and the actions stage on a real Kafka: each accepted call exactly once, whatever is killed."""

import asyncio

from connectors.kafka.topic_admin import TopicAdmin
from deploy.local.kafka.broker import Broker
from streams.topology import topics
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.webhooks import all_typed, mistakes
from tests.kafka.services.webhook_sender import SECRET, Sent, send
from tests.kafka.services.workers import until
from tests.support.ports import free_port

DOOR = ("-m", "streams", "connect")
SETTINGS = {"CXONE_WEBHOOK_SECRETS": SECRET, "WEBHOOKS_PORT": "0"}


async def test_each_accepted_call_is_typed_once_when_door_and_worker_are_killed(
    own_kafka: Broker, new_worker: NewWorker
) -> None:
    TopicAdmin({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0}).create(topics(), partitions=2)
    port = free_port()
    door = new_worker(own_kafka.bootstrap, "webhooks", program=DOOR, **{**SETTINGS, "WEBHOOKS_PORT": str(port)})
    await asyncio.to_thread(door.start().ready)
    worker = new_worker(own_kafka.bootstrap, "actions")
    await asyncio.to_thread(worker.start().ready)
    url = f"http://127.0.0.1:{port}/webhook/cxone-data-action"

    sent = Sent()
    sending = asyncio.create_task(send(url, rate=100, seconds=6, sent=sent))
    await asyncio.sleep(2)
    await asyncio.to_thread(door.kill)
    await asyncio.to_thread(door.start().ready)
    await asyncio.to_thread(worker.kill)
    worker.start()
    await sending
    await asyncio.to_thread(until, lambda: all_typed(own_kafka.bootstrap), 60, "everything typed")

    assert set(sent.accepted) == {f"i{number}" for number in range(600)}
    assert sent.statuses[0] > 0, "no call was under way at the kill: it showed nothing"
    assert mistakes(own_kafka.bootstrap, sent) == []
    assert worker.terminate() == 0, worker.said("not stopped in order")
    assert door.terminate() == 0, door.said("not stopped in order")
