"""Dead letters from the refusal to the effect, as somebody at a terminal takes them there."""

import time
from functools import partial

import orjson
from confluent_kafka import Producer

from connectors.kafka.topic_admin import ensure_topics
from connectors.settings import KafkaSettings
from deploy.local.kafka.broker import Broker
from schemas.envelope import RECEIVED_AT
from schemas.topics import RAW_MESSAGES
from streams import topology
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.guests import Callee
from tests.kafka.services.dead_letters import dlq as run_dlq
from tests.kafka.services.guest_traffic import ARCHIVED
from tests.kafka.services.workers import until

MESSAGES, SPOILT = 12, 3
SIMULATE = ("-m", "streams")


def write(bootstrap: str) -> None:
    """Write messages for a queue that refuses, and some without a conversation."""
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "log_level": 0})
    now = time.time_ns() // 1_000_000
    for number in range(MESSAGES + SPOILT):
        frame = {
            "type": "message",
            "direction": "inbound",
            "eventId": f"e-{number}",
            "conversationId": f"c-{number}" if number < MESSAGES else 5.5,
            "timestamp": now,
            "text": f"message {number}",
            "metadata": {"browserFingerprint": f"f-{number}", "routing": {"queueId": ARCHIVED}},
        }
        headers = [(RECEIVED_AT, b"%d" % now)]
        producer.produce(RAW_MESSAGES.name, orjson.dumps(frame), f"f-{number}", headers=headers)
    assert producer.flush(30) == 0


def test_what_was_refused_takes_effect_once_after_its_replay(own_kafka: Broker, new_worker: NewWorker) -> None:
    bootstrap = own_kafka.bootstrap
    ensure_topics(KafkaSettings(bootstrap_servers=bootstrap), topology.topics())

    dlq = partial(run_dlq, bootstrap)

    def refused(stage: str) -> int:
        return sum(group["count"] for group in dlq("list", "--json", "--stage", stage))

    def routed() -> list[str]:
        return sorted(row["text"] for row in callee.rows("routing") if row["order"] is not None)

    callee = Callee(new_worker(bootstrap, "simulate", "--count", "1", program=SIMULATE).start().ready())
    callee.fault(queues_archived=[ARCHIVED])
    stages = ("messages", "rate-limit", "routing", "crm")
    worker = new_worker(bootstrap, *stages, **callee.settings, CRM_WAIT="0.2").start()
    worker.ready()
    write(bootstrap)
    until(lambda: (refused("routing"), refused("messages")) == (MESSAGES, SPOILT), 60, "all are refused")
    until(lambda: callee.counts("crm")["records"] == MESSAGES, 60, "the CRM has what was admitted")

    callee.fault(queues_archived=[])
    first = dlq("replay", "--stage", "routing", "--key", "c-0", "--yes", "--json")
    would = dlq("replay", "--stage", "routing", "--dry-run", "--json")
    rest = dlq("replay", "--stage", "routing", "--yes", "--json")

    assert first["became"] == {"replayed": 1}
    assert would["became"] == rest["became"] == {"replayed": MESSAGES - 1}
    until(lambda: len(routed()) >= MESSAGES, 60, "all are routed")
    assert refused("routing") == 0
    assert dlq("replay", "--stage", "routing", "--yes", "--json")["became"] == {}
    assert dlq("discard", "--yes", "--json")["became"] == {"discarded": SPOILT}
    assert dlq("list", "--json") == []
    assert worker.terminate() == 0, worker.said("not stopped in order")  # what is under way is seen to
    assert routed() == sorted(f"message {number}" for number in range(MESSAGES))
    assert [row["times"] for row in callee.rows("crm")] == [1] * MESSAGES, "the CRM had them: it passes over them"
