"""The scoring stage on a real Kafka: each interaction is scored, whatever the model answers and whoever is killed."""

import json
import urllib.request
from collections import Counter, defaultdict
from typing import Any

from confluent_kafka import Producer

from connectors.kafka.topic_admin import TopicAdmin
from connectors.simulator.inference.endpoints import score_of
from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.dead_letters import DEAD_REASON
from schemas.envelope import SOURCE_POSITION
from schemas.records import CXoneInteraction, InteractionScore
from schemas.releases import FileSchemaIds
from schemas.topics import DEAD_LETTERS, INTERACTIONS_ML, ML_SCORES
from streams.runtime.call_runner import UNWRITTEN
from streams.topology import topics
from tests.kafka.conftest import NewWorker
from tests.kafka.services.workers import until
from tests.support.committed import read_committed

INTERACTIONS, CONCURRENCY = 1200, 10
CODEC = Codec(FileSchemaIds())


def produce(bootstrap: str, first: int, number: int) -> None:
    """Write interactions as the actions stage does; the model's stand-in is asked about each id twice."""
    encode, producer = CODEC.encoder(CXoneInteraction), Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for at in range(first, first + number):
        name = f"i-{at % (INTERACTIONS // 2)}"
        value = encode(CXoneInteraction(name, "voice", 1_700_000_000_000 + at, None, None))
        producer.produce(INTERACTIONS_ML.name, value, name.encode(), headers=[(SOURCE_POSITION, b"0:%d" % at)])
        producer.poll(0)
    producer.flush(30)


def settled(bootstrap: str) -> Counter[str]:
    """Return source positions that became a score or a dead letter, and how often."""
    found: Counter[str] = Counter()
    for topic in (ML_SCORES.name, DEAD_LETTERS.name):
        for message in read_committed(bootstrap, topic):
            found[dict(message.headers())[SOURCE_POSITION].decode()] += 1
    return found


def test_every_interaction_is_scored_or_refused_when_the_worker_is_killed(
    own_kafka: Broker, new_worker: NewWorker
) -> None:
    TopicAdmin({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0}).create(topics(), partitions=2)
    simulator = new_worker(own_kafka.bootstrap, "simulate", "--count", "1", program=("-m", "streams")).start()
    places: dict[str, Any] = simulator.ready()
    faults = {"inference_500": 0.1, "inference_429": 0.005, "inference_nonsense": 0.02, "inference_seconds": 0.05}
    post(places["faults_url"], faults)
    settings = {"INFERENCE_URL": places["inference_url"], "SCORING_RETRY_BASE": "0.2", "SCORING_RETRY_CAP": "1"}
    worker = new_worker(own_kafka.bootstrap, "scoring", **settings, STREAMS_DEAD_LETTER_SHARE="1")
    worker.start().ready()

    produce(own_kafka.bootstrap, 0, INTERACTIONS // 2)
    until(lambda: get(places["inference_ledger_url"])["scored"] > INTERACTIONS // 6, 60, "a third scored")
    worker.kill()
    before = get(places["inference_ledger_url"])
    post(places["faults_url"], {"inference_seconds": 0.01})
    produce(own_kafka.bootstrap, INTERACTIONS // 2, INTERACTIONS // 2)
    worker.start().ready()
    until(lambda: len(settled(own_kafka.bootstrap)) == INTERACTIONS, 120, "all settled")

    assert before["scored"] < INTERACTIONS // 2, "all was scored before the kill: it showed nothing"
    after = get(places["inference_ledger_url"])
    assert after["conflicts"] == 0
    assert after["repeats"] <= (1 + UNWRITTEN) * CONCURRENCY
    assert sum(number - 1 for number in settled(own_kafka.bootstrap).values()) <= (1 + UNWRITTEN) * CONCURRENCY
    decode, scores = CODEC.decoder(InteractionScore), defaultdict[str, set[float]](set)
    for message in read_committed(own_kafka.bootstrap, ML_SCORES.name):
        score = decode(message.value())
        scores[score.interaction_id].add(score.score)
    assert all(found == {score_of(name)} for name, found in scores.items())
    reasons = Counter(
        dict(message.headers())[DEAD_REASON].decode()
        for message in read_committed(own_kafka.bootstrap, DEAD_LETTERS.name)
    )
    assert set(reasons) == {"no score"}
    assert worker.terminate() == 0, worker.said("not stopped in order")
    assert simulator.terminate() == 0


def get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=60) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def post(url: str, body: object) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
