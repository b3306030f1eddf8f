"""The door and its stages over SASL_SSL with ACLs; and what they say when something is missing."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from confluent_kafka.admin import AclOperation, ResourceType

from connectors.errors import ConfigurationError, PublishError
from connectors.kafka.publisher import KafkaPublisher
from connectors.kafka.topic_admin import TopicAdmin
from connectors.settings import KafkaSettings
from schemas.envelope import Outgoing
from schemas.topics import RAW_WEBHOOKS
from streams.programs.doctor import others as doctor
from streams.programs.doctor.findings import findings
from streams.topology import topics
from tests.conftest import _broker
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.webhooks import all_scored, all_typed, asked, mistakes, scoring_mistakes
from tests.kafka.services.webhook_sender import SECRET, Sent, send
from tests.kafka.services.workers import until
from tests.support.ports import free_port
from tests.support.secured_broker import SecuredBroker

pytestmark = pytest.mark.broker

DOOR = ("-m", "streams", "connect")
SETTINGS = {"CXONE_WEBHOOK_SECRETS": SECRET, "WEBHOOKS_PORT": "0"}
PASSWORD = "pass-word-0815"
TOPIC, ID, GROUP = ResourceType.TOPIC, ResourceType.TRANSACTIONAL_ID, ResourceType.GROUP
READ, WRITE, DESCRIBE = AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    folder = tmp_path_factory.mktemp("secured")
    _broker(folder / "unused")  # skips where there is no Java
    made = SecuredBroker(free_port(), free_port(), folder / "kafka")
    made.start()
    TopicAdmin({"bootstrap.servers": made.broker.bootstrap, "log_level": 0}).create(topics(), partitions=2)
    for user in ("door", "stage", "no-id", "no-topic", "nobody"):
        made.add_user(user, PASSWORD)
    for user in ("door", "no-id"):
        made.allow(user, TOPIC, "cxone.raw.webhooks", [WRITE, DESCRIBE])
        made.allow(user, TOPIC, "cxone.dead-letters", [WRITE, DESCRIBE])
    for user in ("door", "no-topic"):
        made.allow(user, ID, "cxone-webhooks-", [WRITE, DESCRIBE])
    made.allow("no-topic", TOPIC, "cxone.", [DESCRIBE])
    made.allow("stage", TOPIC, "cxone", [READ, WRITE, DESCRIBE])
    for stage in ("actions", "scoring"):
        made.allow("stage", GROUP, f"cxone-{stage}", [READ, DESCRIBE])
    made.allow("stage", ID, "cxone-actions-", [WRITE, DESCRIBE])
    yield made
    made.broker.kill()


async def test_door_and_stages_do_their_work_with_the_rights_that_are_documented(
    secured: SecuredBroker, new_worker: NewWorker
) -> None:
    door = new_worker("", "webhooks", program=DOOR, **{**SETTINGS, **secured.settings("door", PASSWORD)})
    simulator = new_worker("", "simulate", "--count", "1", program=("-m", "streams"))
    door.start()
    places = await asyncio.to_thread(simulator.start().ready)
    model = {"INFERENCE_URL": places["inference_url"]}
    worker = new_worker("", "actions", "scoring", **model, **secured.settings("stage", PASSWORD)).start()
    address = (await asyncio.to_thread(door.ready))["http"]
    await asyncio.to_thread(worker.ready)

    sent = Sent()
    await send(f"http://{address}/webhook/cxone-data-action", rate=50, seconds=1, sent=sent)
    await asyncio.to_thread(until, lambda: all_typed(secured.broker.bootstrap), 60, "everything typed")

    await asyncio.to_thread(until, lambda: all_scored(secured.broker.bootstrap), 60, "everything scored")

    assert len(sent.accepted) == 50
    assert mistakes(secured.broker.bootstrap, sent) == []
    assert scoring_mistakes(secured.broker.bootstrap, asked(places), kills=0) == []
    assert worker.terminate() == 0, worker.said("not stopped in order")
    assert door.terminate() == 0, door.said("not stopped in order")
    assert PASSWORD not in door.said("") + worker.said("")


@pytest.mark.parametrize(
    ("user", "password", "said"),
    [
        ("door", "wrong-password", "Kafka refuses user door: check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"),
        ("no-id", PASSWORD, "Kafka does not let user no-id use the transactional id cxone-webhooks-1"),
        ("no-topic", PASSWORD, "Kafka does not let user no-topic write to cxone.raw.webhooks"),
    ],
)
def test_what_a_door_misses_is_one_sentence(
    secured: SecuredBroker, new_worker: NewWorker, user: str, password: str, said: str
) -> None:
    door = new_worker("", "webhooks", program=DOOR, **{**SETTINGS, **secured.settings(user, password)})

    assert door.start().exit_code(within=60) == 2, door.said("it goes on")
    lines = [line for line in door.log.read_text().splitlines() if not line.startswith("{")]
    assert len(lines) == 1
    assert lines[0].startswith(said)


async def test_who_may_write_nothing_and_create_nothing_is_told_what_of_the_cluster_is_missing(
    secured: SecuredBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in secured.settings("no-topic", PASSWORD).items():
        monkeypatch.setenv(name, value)
    config = KafkaSettings().librdkafka()
    publisher = KafkaPublisher(config)

    with pytest.raises(PublishError, match=r"no-topic write with idempotence: .*IdempotentWrite on the cluster"):
        await publisher.publish([Outgoing(RAW_WEBHOOKS.name, b"k", b"v")])
    await publisher.close()
    with pytest.raises(ConfigurationError, match=r"does not create cxone\.nowhere: .*Create on the cluster"):
        await asyncio.to_thread(TopicAdmin(config).create, [replace(RAW_WEBHOOKS, name="cxone.nowhere")])


@pytest.mark.parametrize(
    ("user", "said"),
    [
        (
            "nobody",
            {
                "topics": r"red Kafka does not let this client see cxone\.raw\.interactions, .* more",
                "rights": r"red missing: cxone\.raw\.interactions: Describe, Read, Write, .*; group cxone-.*: Read",
                "clock": r"yellow the broker's cannot be read: Kafka does not let user nobody write to a topic",
            },
        ),
        ("no-topic", {"rights": r"red missing: cxone\.raw\.interactions: Read, cxone\.raw\.interactions: Write, "}),
        (
            "stage",
            {
                "topics": r"yellow \d+ are there; Kafka does not describe cxone\.raw\.interactions",
                "rights": r"red missing: group cxone-normalise: Read, (?!.*group cxone-scoring)",
                "clock": r"green ",
            },
        ),
    ],
)
async def test_doctor_names_the_rights_that_are_missing(
    secured: SecuredBroker, monkeypatch: pytest.MonkeyPatch, user: str, said: dict[str, str]
) -> None:
    for name, value in secured.settings(user, PASSWORD).items():
        monkeypatch.setenv(name, value)
    wanted = [check for check in doctor.checks() if check.name in {"Kafka", *said}]

    found = {each.check: f"{each.colour} {each.said}" for each in await findings(wanted, deadline=60)}

    assert found.pop("Kafka").startswith("green ")
    for check, line in found.items():
        assert re.match(said[check], line), line
