"""Doctor against a real Kafka: topics that are missing or not as declared, clocks, rights."""

import asyncio
import re
import time
from types import SimpleNamespace

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from connectors.kafka import checkup
from connectors.kafka.topic_admin import ensure_topics
from connectors.settings import KafkaSettings
from deploy.local.kafka.broker import Broker
from schemas.topics import CAMPAIGN_HOURLY
from streams import topology
from streams.programs.doctor import others
from streams.programs.doctor.findings import Colour, Finding, findings

OF_KAFKA = {"Kafka", "topics", "rights", "clock"}


def altered(bootstrap: str, topic: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": bootstrap})  # in a variable: what it was asked ends with it
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(30)


async def looked() -> dict[str, Finding]:
    wanted = [check for check in others.checks() if check.name in OF_KAFKA]
    return {each.check: each for each in await findings(wanted, deadline=60)}


async def test_a_broker_from_nothing_to_as_declared_to_altered(
    own_kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", own_kafka.bootstrap)

    empty = await looked()
    ensure_topics(KafkaSettings(bootstrap_servers=own_kafka.bootstrap), topology.topics())
    well = await looked()
    altered(own_kafka.bootstrap, CAMPAIGN_HOURLY.name, "cleanup.policy", "delete")
    async with asyncio.timeout(60):  # the broker learns of it a moment after the controller has said yes
        while (wrong := (await looked())["topics"]).colour is Colour.GREEN:
            pass

    assert empty["topics"].colour is Colour.RED
    assert empty["topics"].said.startswith("missing: cxone.raw.interactions")
    assert {each.colour for each in well.values()} == {Colour.GREEN}, well
    assert wrong.colour is Colour.RED
    assert wrong.said == f"{CAMPAIGN_HOURLY.name}: cleanup.policy is delete, should be compact"
    monkeypatch.setattr(checkup, "time", SimpleNamespace(time=lambda: time.time() - 600))
    late = (await looked())["clock"]
    assert late.colour is Colour.RED
    assert re.fullmatch(r"the broker's is (599\.\d|60\d\.\d) s ahead of this machine's", late.said)
