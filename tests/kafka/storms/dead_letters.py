"""A thousand dead letters of five kinds, mended and replayed through kills: `make faults` (SEED=... repeats one).

Refused are: interactions and guests' messages of a shape that the tenant's dialect does not name, messages for a queue
that CXone refuses, contacts that the CRM refuses, and webhooks' interactions that the model refuses. After the replay
every effect is there once: the row of each campaign hour, the call to CXone, the CRM's record, the score.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random

import orjson
from confluent_kafka import KafkaError, Message, Producer

from connectors.cxone import dialect
from connectors.kafka.topic_admin import TopicAdmin
from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.envelope import DATA_ACTION_PATH, RECEIVED_AT, WEBHOOK_PATH
from schemas.records import InteractionScore
from schemas.releases import FileSchemaIds
from schemas.topics import (
    DEAD_LETTERS_SETTLED,
    INTERACTIONS_ML,
    ML_SCORES,
    RAW_INTERACTIONS,
    RAW_MESSAGES,
    RAW_WEBHOOKS,
)
from streams.stages.crm import batches as crm
from streams.stages.messages import message as messages
from streams.stages.normalise import event as normalise
from streams.stages.routing import conversation as routing
from streams.stages.scoring import score as scoring
from streams.topology import topics
from tests.kafka.conftest import NewWorker
from tests.kafka.judges import hours
from tests.kafka.judges.guests import FLOW, Callee, await_settled
from tests.kafka.judges.webhooks import asked
from tests.kafka.services.dead_letters import dlq
from tests.kafka.services.guest_traffic import ARCHIVED, GuestTraffic
from tests.kafka.services.traffic import HOUR, Traffic, Window
from tests.kafka.services.workers import until
from tests.support.committed import read_committed

OF_EACH = 200
REFUSED = {  # stage -> why
    "normalise": normalise.NO_CAMPAIGN,
    "messages": messages.NO_CONVERSATION,
    "routing": routing.FORBIDDEN,
    "crm": crm.REFUSED,
    "scoring": scoring.REFUSED,
}
STAGES = (("normalise", "percentiles"), ("messages", "rate-limit"), ("routing", "crm"), ("actions", "scoring"))
SETTLED = (
    *hours.FLOW.items(),
    *FLOW,
    ("cxone-actions", RAW_WEBHOOKS.name),
    ("cxone-scoring", INTERACTIONS_ML.name),
)
RATE = 40  # letters a second: the replay lasts for 25 s at least
LIVE = 60  # seconds of traffic, of which the replay takes a part
SLOW = 0.2  # seconds to each answer: kills meet calls that are under way
CALLS = 50  # live webhooks before each kill
PROGRAM = ("-m", "streams")


def mend(path: Path) -> None:
    """Write the dialect with the tenant's own shapes."""
    usual = path.read_text()
    mended = usual.replace("[payload.campaignId]", "[payload.campaignId, payload.campaign]")
    path.write_text(mended.replace("[conversationId, ", "[conversationId, talk.id, "))
    assert path.read_text().count("\n") == usual.count("\n") != 0
    assert mended != usual != path.read_text() != mended


class Writer:
    """Writes frames as the connectors do."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "log_level": 0,
            }
        )
        self.texts: set[str] = set()  # of guests, who may all say it
        self.calls: set[str] = set()  # interactions of webhooks
        self.interactions: list[tuple[Window, tuple[int, int]]] = []  # and their durations
        self.sources: set[str] = set()  # positions of these

    def refused(self, random: Random) -> None:
        """Write what each of five stages will refuse."""
        now = time.time_ns() // 1_000_000
        for number in range(OF_EACH):
            at, durations = now - random.randrange(4 * HOUR), (random.randrange(900), random.randrange(90))
            campaign = f"campaign-{random.randrange(20)}"  # of the live traffic's, too
            self.interactions.append(((campaign, at - at % HOUR), durations))
            payload = {"campaign": campaign, "handleTime": durations[0], "waitTime": durations[1]}
            frame = {"type": "interaction.completed", "eventId": f"refused-{number}", "timestamp": at}
            self._write(RAW_INTERACTIONS.name, f"r-{number}", frame | {"payload": payload})
            self._say(f"messages {number}", {"talk": {"id": f"talk-{number}"}}, "default")
            self._say(f"routing {number}", {"conversationId": f"archived-{number}"}, ARCHIVED)
            self._say(f"crm {number}", {"conversationId": f"unwanted-{number}"}, "default")
        self.call(f"refused-{number}" for number in range(OF_EACH))

    def call(self, names: Iterable[str]) -> None:
        """Write webhooks."""
        for name in names:
            self.calls.add(name)
            self._write(RAW_WEBHOOKS.name, name, {"id": name, "channel": "voice"}, (WEBHOOK_PATH, DATA_ACTION_PATH))
        assert self._producer.flush(30) == 0

    def _say(self, text: str, where: Mapping[str, object], queue: str) -> None:
        self.texts.add(text)
        guest = {"browserFingerprint": f"of {text}", "routing": {"queueId": queue}}
        frame = {"type": "message", "direction": "inbound", "eventId": text, "text": text, "metadata": guest}
        self._write(RAW_MESSAGES.name, f"of {text}", frame | dict(where))

    def _write(self, topic: str, key: str, frame: object, *more: tuple[str, str]) -> None:
        headers = [(RECEIVED_AT, str(time.time_ns() // 1_000_000)), *more]
        self._producer.produce(topic, orjson.dumps(frame), key, headers=headers, on_delivery=self._delivered)
        self._producer.poll(0)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        if message.topic() == RAW_INTERACTIONS.name:
            self.sources.add(f"{message.topic()}:{message.partition()}:{message.offset()}")


def counted(what: str, found: Counter[str], wanted: Iterable[str]) -> list[str]:
    """Return a sentence for what is missing, and one for what is there more than once or should not be there."""
    once = Counter(wanted)
    return [
        f"{what}: {len(wrong)} {how}: {sorted(wrong.items())[:5]}"
        for how, wrong in (("missing", once - found), ("too many", found - once))
        if wrong
    ]


def scores(bootstrap: str) -> Counter[str]:
    """Return how many source positions each interaction has a score under."""
    decode = Codec(FileSchemaIds()).decoder(InteractionScore)
    under = {
        (decode(record.value()).interaction_id, tuple(record.headers()))
        for record in read_committed(bootstrap, ML_SCORES.name)
    }
    return Counter(name for name, _ in under)


def test_a_thousand_dead_letters_take_effect_once_while_workers_and_the_replay_are_killed(
    own_kafka: Broker, new_worker: NewWorker, tmp_path: Path, seed: int
) -> None:
    """One kill -9 of a worker of each stage, and one of the replay itself, under live traffic."""
    bootstrap, random = own_kafka.bootstrap, Random(seed)
    TopicAdmin({"bootstrap.servers": bootstrap, "log_level": 0}).create(topics(), partitions=4)
    spoken = tmp_path / "tenant.yaml"
    spoken.write_text((Path(dialect.__file__).parent / "dialects" / "v2.yaml").read_text())
    places = new_worker(bootstrap, "simulate", "--count", "1", program=PROGRAM).start().ready()
    callee, writer = Callee(places), Writer(bootstrap)
    callee.fault(queues_archived=[ARCHIVED], crm_refuse="unwanted", inference={"status": 422})
    settings = {**callee.settings, "INFERENCE_URL": places["inference_url"], "CXONE_DIALECT": str(spoken)}
    workers = [new_worker(bootstrap, *group, **settings).start() for group in STAGES]
    for worker in workers:
        worker.ready()

    def refused() -> dict[tuple[str, str], int]:
        return {(each["stage"], each["reason"]): each["count"] for each in dlq(bootstrap, "list", "--json")}

    def decided() -> int:
        return len(read_committed(bootstrap, DEAD_LETTERS_SETTLED.name))

    writer.refused(random)
    until(lambda: refused() == dict.fromkeys(REFUSED.items(), OF_EACH), 120, "all are refused")

    mend(spoken)
    for worker in workers[:2]:
        assert worker.terminate() == 0, worker.said("not stopped in order")
        worker.start().ready()
    callee.fault(queues_archived=[], crm_refuse=None, inference=None)
    callee.fault(routing_seconds=SLOW, crm_seconds=SLOW, inference_seconds=SLOW)
    interactions = Traffic(bootstrap, seed=seed, events=200 * LIVE, rate=200, malformed=0)
    guests = GuestTraffic(bootstrap, seed=seed, messages=40 * LIVE, rate=40, malformed=0)
    interactions.start()
    guests.start()
    replay = new_worker(bootstrap, "dlq", "replay", "--yes", "--json", "--rate", str(RATE), program=PROGRAM).start()
    order = [*workers, replay]
    random.shuffle(order)
    for number, victim in enumerate(order):
        until(lambda least=150 * number + 50: decided() >= least, 120, "the replay goes on")  # type: ignore[misc]
        writer.call(f"live-{number}-{call}" for call in range(CALLS))
        victim.kill()
        victim.start()
        print(f"{victim.name} was killed after {decided()} replays")  # noqa: T201 - what a run has shown
    assert replay.exit_code(within=120) == 0, replay.said("it has not replayed all")
    interactions.stop()
    interactions.finish()
    guests.finish()
    await_settled(bootstrap, 180, SETTLED)

    assert decided() == len(REFUSED) * OF_EACH
    assert dlq(bootstrap, "list", "--json") == []
    assert dlq(bootstrap, "replay", "--yes", "--json")["became"] == {}
    for window, durations in writer.interactions:
        interactions.truth[window].append(durations)
    interactions.malformed |= writer.sources
    texts = [*writer.texts, *(f"message {number}" for number in guests.admitted)]
    routed = Counter(row["text"] for row in callee.rows("routing") if row["order"] is not None)
    told = Counter[str]()
    for row in callee.rows("crm"):
        told[row["last_message"]] += row["times"]
    keys = asked(places)
    print(  # noqa: T201
        f"{len(interactions.truth)} hours, {len(texts)} messages of guests, {len(writer.calls)} webhooks; again under "
        f"their keys: {callee.counts('routing')['repeats']} calls of routing, {callee.counts('crm')['repeats']} "
        f"batches, {sum(max(0, row['scored'] - 1) for row in keys)} requests for a score"
    )
    wrong = [
        *hours.mistakes(bootstrap, interactions),
        *counted("routed", routed, texts),
        *counted("told to the CRM", told, texts),
        *counted("scored by the model", Counter(row["interaction_id"] for row in keys if row["scored"]), writer.calls),
        *counted("scored", scores(bootstrap), writer.calls),
    ]
    assert wrong == []
