"""The door and its transactions through outages and kills, on a real Kafka: `make faults` runs it."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import aiohttp
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from connectors.errors import PublishError
from connectors.kafka.publisher import transactional_config
from connectors.kafka.topic_admin import TopicAdmin
from connectors.kafka.transactions import TransactionalPublisher
from deploy.local.kafka.broker import Broker
from schemas.envelope import DATA_ACTION_PATH, Outgoing
from streams.topology import topics
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.webhooks import all_scored, all_typed, asked, mistakes, scoring_mistakes
from tests.kafka.services.webhook_sender import HEADERS, SECRET, Sent, send
from tests.kafka.services.workers import Worker, until
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
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            await publisher.publish([Outgoing("topic", b"k", b"nor this")])
    assert publisher.blocked is not None, "a transaction that was aborted without Kafka ends no outage"
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


DOOR = ("-m", "streams", "connect")


class Doors:
    """One door, started again and again on its port; and where callers reach it."""

    def __init__(self, broker: Broker, new_worker: NewWorker) -> None:
        TopicAdmin({"bootstrap.servers": broker.bootstrap, "log_level": 0}).create(topics(), partitions=4)
        settings = {"CXONE_WEBHOOK_SECRETS": SECRET}
        first = new_worker(broker.bootstrap, "webhooks", program=DOOR, **settings, WEBHOOKS_PORT="0")
        self.port = int(str(first.start().ready()["http"]).rpartition(":")[2])
        first.terminate()
        self.door: Worker = new_worker(
            broker.bootstrap, "webhooks", program=DOOR, **settings, WEBHOOKS_PORT=str(self.port)
        )
        self.door.start().ready()
        self.url = f"http://127.0.0.1:{self.port}{DATA_ACTION_PATH}"


def memory_mb(worker: Worker) -> float:
    return int(Path(f"/proc/{worker.pid}/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


async def test_twenty_kills_of_the_door_lose_nothing_and_type_and_score_nothing_twice(
    own_kafka: Broker, new_worker: NewWorker, seed: int
) -> None:
    """500 calls a second, a sender that repeats, and a kill -9 of the door every few seconds, sometimes of scoring."""
    random = Random(seed)
    at = await asyncio.to_thread(Doors, own_kafka, new_worker)
    simulator = new_worker(own_kafka.bootstrap, "simulate", "--count", "1", program=("-m", "streams"))
    places = await asyncio.to_thread(simulator.start().ready)
    worker = new_worker(own_kafka.bootstrap, "actions")
    scoring = new_worker(own_kafka.bootstrap, "scoring", INFERENCE_URL=places["inference_url"])
    await asyncio.to_thread(worker.start().ready)
    await asyncio.to_thread(scoring.start().ready)
    sent = Sent()
    sending = asyncio.create_task(send(at.url, rate=500, seconds=60, sent=sent, patience=600))
    for turn in range(20):
        await asyncio.sleep(random.uniform(0.5, 2.0))
        at.door.kill()
        if turn % 5 == 0:
            scoring.kill()
            scoring.start()
        await asyncio.to_thread(at.door.start().ready)
    await sending
    await asyncio.to_thread(until, lambda: all_typed(own_kafka.bootstrap), 120, "everything typed")
    await asyncio.to_thread(until, lambda: all_scored(own_kafka.bootstrap), 240, "everything scored")

    print(f"calls {len(sent.attempts)}, attempts {sum(sent.attempts.values())}, answers {dict(sent.statuses)}")  # noqa: T201
    assert len(sent.accepted) == 30_000
    assert sent.statuses[0] > 20
    assert mistakes(own_kafka.bootstrap, sent) == []
    assert scoring_mistakes(own_kafka.bootstrap, asked(places), kills=4) == []


async def test_an_outage_is_answered_with_503s_and_ends_within_seconds(
    own_kafka: Broker, new_worker: NewWorker
) -> None:
    """Kafka is away for 30 s under 200 calls a second."""
    at = await asyncio.to_thread(Doors, own_kafka, new_worker)
    sent = Sent()
    sending = asyncio.create_task(send(at.url, rate=200, seconds=50, sent=sent, patience=120))
    await asyncio.sleep(5)
    before = memory_mb(at.door)
    await asyncio.to_thread(own_kafka.kill)
    await asyncio.sleep(30)
    during = memory_mb(at.door)
    await asyncio.to_thread(own_kafka.start)
    back = time.monotonic()
    accepted = len(sent.accepted)
    await asyncio.to_thread(until, lambda: len(sent.accepted) > accepted, 30, "a call is accepted")
    served = time.monotonic() - back
    await sending

    print(  # noqa: T201
        f"served {served:.1f} s after its return, memory {before:.0f} -> {during:.0f} MB, answers {dict(sent.statuses)}"
    )
    assert len(sent.accepted) == 10_000
    assert sent.statuses[503] > 0
    assert served < 5
    assert during - before < 30
    raw = read_committed(own_kafka.bootstrap, "cxone.raw.webhooks")
    assert {message.key().decode() for message in raw} == set(sent.accepted)


async def how_long(port: int, opening: bytes) -> float:
    """Send an opening, then a byte a second; return after how many seconds the door hung up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    writer.write(opening)
    with suppress(ConnectionError):
        while True:
            try:
                if await asyncio.wait_for(reader.read(4096), 1.0) == b"":
                    break
            except TimeoutError:
                writer.write(b"x")
                await writer.drain()
    writer.close()
    return time.monotonic() - began


async def test_slow_clients_hold_up_nobody_and_are_sent_away(own_kafka: Broker, new_worker: NewWorker) -> None:
    """1,000 clients whose headers do not end, and 1,000 whose bodies do not come."""
    at = await asyncio.to_thread(Doors, own_kafka, new_worker)
    head = f"POST {DATA_ACTION_PATH} HTTP/1.1\r\nHost: x\r\n"
    known = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    bad = [head.encode()] * 1000 + [f'{head}{known}Content-Length: 30\r\n\r\n{{"id":'.encode()] * 1000
    lasted: list[float] = []

    async def dawdle(opening: bytes) -> None:
        lasted.append(await how_long(at.port, opening))

    dawdling = [asyncio.create_task(dawdle(opening)) for opening in bad]
    await asyncio.sleep(1)
    seconds = []
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        for number in range(100):
            asked = time.monotonic()
            async with session.post(at.url, data=b'{"id":"good-%d"}' % number) as answer:
                assert answer.status == 200
            seconds.append(time.monotonic() - asked)
    await asyncio.gather(*dawdling)

    print(f"good p99 {sorted(seconds)[98]:.3f} s, the bad lasted {max(lasted):.1f} s at most")  # noqa: T201
    assert sorted(seconds)[98] < 1
    assert max(lasted) < 12
