"""Topics on a real Kafka."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog.testing
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)
from typer.testing import CliRunner

from connectors.errors import ConfigurationError
from connectors.kafka.topic_admin import Drift, TopicAdmin, ensure_topics
from connectors.settings import KafkaSettings
from deploy.local.kafka.broker import Broker
from schemas.topics import TopicSpec
from streams.cli.topics import app
from streams.topology import topics
from tests.kafka.services.workers import until


@pytest.fixture
def client(kafka: str) -> Any:
    return AdminClient({"bootstrap.servers": kafka, "log_level": 0})


@pytest.fixture
def specs(client: Any) -> Iterator[list[TopicSpec]]:
    """Three of our topics under names of the test's own."""
    mine = uuid.uuid4().hex
    specs = [
        replace(spec, name=f"{mine}.{spec.name}", partitions=3)
        for spec in topics()
        if spec.name in {"cxone.raw.interactions", "cxone-normalise-seen-changelog", "cxone.campaign.hourly"}
    ]
    yield specs
    there = set(client.list_topics(timeout=30).topics) & {spec.name for spec in specs}
    for deleted in client.delete_topics(list(there)).values() if there else ():
        deleted.result(30)


@pytest.fixture
def admin(kafka: str) -> TopicAdmin:
    return TopicAdmin({"bootstrap.servers": kafka, "log_level": 0})


def test_created_topics_are_as_declared(admin: TopicAdmin, specs: list[TopicSpec]) -> None:
    created = admin.create(specs)

    assert created == [spec.name for spec in specs]
    assert admin.drift(specs) == []


def test_every_leader_of_a_created_topic_knows_that_it_is(
    admin: TopicAdmin, client: Any, specs: list[TopicSpec]
) -> None:
    spec = replace(specs[0], partitions=300)
    admin.create([spec])

    places = {TopicPartition(spec.name, number): OffsetSpec.latest() for number in range(300)}
    ends = {answer.result(30).offset for answer in client.list_offsets(places).values()}

    assert ends == {0}, "else who writes at once can lose records that are acknowledged"


def test_creating_again_creates_nothing(admin: TopicAdmin, specs: list[TopicSpec]) -> None:
    admin.create(specs)

    assert admin.create(specs, partitions=7) == []
    assert {admin.partitions()[spec.name] for spec in specs} == {3}


def test_drift_is_told_thing_by_thing(admin: TopicAdmin, specs: list[TopicSpec]) -> None:
    raw, seen, hourly = specs
    admin.create([raw, seen])

    drift = admin.drift([replace(raw, retention_ms=1, partitions=4), replace(seen, config={"segment.ms": "2"}), hourly])

    assert drift == [
        Drift(raw.name, "partitions", "4", "3"),
        Drift(raw.name, "retention.ms", "1", "604800000"),
        Drift(seen.name, "segment.ms", "2", "600000"),
        Drift(hourly.name, "topic", "there", "missing"),
    ]


def test_a_program_makes_what_it_misses(kafka: str, admin: TopicAdmin, specs: list[TopicSpec]) -> None:
    ensure_topics(_settings(kafka, create_topics=True), specs)

    assert admin.drift(specs) == []


def test_a_program_that_may_not_create_says_what_is_missing(
    kafka: str, admin: TopicAdmin, specs: list[TopicSpec]
) -> None:
    admin.create(specs[:1])

    with pytest.raises(ConfigurationError, match="cxone-streams topics create") as refused:
        ensure_topics(_settings(kafka, create_topics=False), specs)

    assert f"{specs[1].name}, {specs[2].name}" in str(refused.value)
    assert specs[0].name not in str(refused.value)


def test_a_program_does_not_start_on_partitions_that_do_not_match(
    kafka: str, admin: TopicAdmin, specs: list[TopicSpec]
) -> None:
    raw = specs[0]
    admin.create([replace(raw, partitions=5, copartition=None)])
    admin.create([replace(spec, copartition=None) for spec in specs])

    with pytest.raises(ConfigurationError, match=f"same number of partitions: {raw.name} has 5, .* has 3"):
        ensure_topics(_settings(kafka, create_topics=True), specs)


def test_a_program_does_not_start_on_a_topic_that_deletes_what_is_needed(
    kafka: str, admin: TopicAdmin, client: Any, specs: list[TopicSpec]
) -> None:
    admin.create(specs)
    for number, policy in ((0, "compact"), (1, "delete"), (1, "compact,delete")):
        alter(client, specs[number], "cleanup.policy", policy)

        with pytest.raises(ConfigurationError, match=f"{specs[number].name}: cleanup.policy is {policy}") as refused:
            ensure_topics(_settings(kafka, create_topics=True), specs)

        assert f"--entity-name {specs[number].name} --add-config cleanup.policy=" in str(refused.value)


def test_a_topic_with_producers_times_is_warned_of(
    kafka: str, admin: TopicAdmin, client: Any, specs: list[TopicSpec]
) -> None:
    admin.create(specs)
    alter(client, specs[0], "message.timestamp.type", "CreateTime")
    alter(client, specs[0], "retention.ms", "1000000000")

    with structlog.testing.capture_logs() as logs:
        ensure_topics(_settings(kafka, create_topics=True), specs)

    (warning,) = [entry for entry in logs if entry["log_level"] == "warning"]
    assert f"{specs[0].name}: message.timestamp.type is CreateTime" in warning["problem"]
    assert "--add-config message.timestamp.type=LogAppendTime" in warning["advice"]


def alter(client: Any, spec: TopicSpec, key: str, value: str) -> None:
    change = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, spec.name, incremental_configs=[change])
    client.incremental_alter_configs([resource])[resource].result(30)
    until(lambda: client.describe_configs([resource])[resource].result(30)[key].value == value, 30, f"{key} is {value}")


def test_what_the_broker_refuses_is_said_in_its_words(admin: TopicAdmin, specs: list[TopicSpec]) -> None:
    with pytest.raises(ConfigurationError, match=f"does not create {specs[0].name}.*nonsense"):
        admin.create([replace(specs[0], config={"nonsense": "1"})])


def test_the_command_creates_checks_and_finds_drift(own_kafka: Broker) -> None:
    run = CliRunner(env={"KAFKA_BOOTSTRAP_SERVERS": own_kafka.bootstrap}).invoke

    missing = run(app, ["check", "--json"])
    created = run(app, ["create", "--partitions", "2", "--json"])
    good = run(app, ["check", "--partitions", "2"])
    drift = run(app, ["check"])

    assert missing.exit_code == 1
    assert {one["actual"] for one in json.loads(missing.stdout)["drift"]} == {"missing"}
    assert created.exit_code == 0
    assert json.loads(created.stdout) == {"created": [spec.name for spec in topics()]}
    assert good.exit_code == 0, good.output
    assert good.stdout.count("as declared") == len(topics())
    assert drift.exit_code == 1
    assert drift.stdout.count("partitions: 2") == len(topics())
    assert drift.stderr.count("no harm while the topics of a stage have the same number") == len(topics())
    assert {one["advice"] for one in json.loads(missing.stdout)["drift"]} == {"cxone-streams topics create"}


def _settings(kafka: str, *, create_topics: bool) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=kafka, create_topics=create_topics)
