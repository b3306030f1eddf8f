"""A real schema registry (Apicurio): ids, time limits, and readers that are none of ours."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from typing import Any

import pytest
from confluent_kafka import DeserializingConsumer, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from fastavro import parse_schema, schemaless_writer
from fastavro.utils import generate_one

from connectors.errors import ConnectorError
from connectors.kafka.schema_registry import RegistrySchemaIds, schema_ids
from connectors.settings import RegistrySettings
from deploy.local.kafka.broker import Missing
from deploy.local.registry.registry import Registry, fetch
from schemas import records
from schemas.avro import Codec
from schemas.records import CXoneInteraction
from schemas.releases import releases, subject_of
from schemas.topics import TOPICS
from tests.conftest import NewTopicName, _free_pair_of_ports
from tests.support.schema_ids_contract import SchemaIdsContract

pytestmark = pytest.mark.broker

TYPED = [getattr(records, spec.record) for spec in TOPICS if hasattr(records, spec.record)]
RECORD = CXoneInteraction("i-1", "voice", 1_795_250_400_000, "a@b.example", None)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    try:
        fetch()
    except Missing as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must test on a real schema registry: {reason}")
        pytest.skip(str(reason))
    registry = Registry(_free_pair_of_ports(), tmp_path_factory.mktemp("registry"))
    registry.start()
    yield registry
    registry.resume()
    registry.kill()


@pytest.fixture
def ids(registry: Registry) -> Iterator[RegistrySchemaIds]:
    with closing(ids_of(registry)) as ids:
        yield ids


def ids_of(registry: Registry) -> RegistrySchemaIds:
    ids = schema_ids(RegistrySettings.model_validate({"url": registry.url}))
    assert isinstance(ids, RegistrySchemaIds)
    return ids


class TestRegistrySchemaIds(SchemaIdsContract):
    """With the fixture above."""


def test_a_registry_that_hangs_is_an_error_within_ten_seconds_and_what_was_asked_is_known(
    registry: Registry, ids: RegistrySchemaIds
) -> None:
    codec = Codec(ids)
    encode, decode = codec.encoder(CXoneInteraction), codec.decoder(CXoneInteraction)
    assert decode(encode(RECORD)) == RECORD

    registry.pause()
    began = time.monotonic()
    with closing(ids_of(registry)) as new, pytest.raises(ConnectorError, match="does not answer"):
        Codec(new).encoder(CXoneInteraction)
    waited = time.monotonic() - began
    known = decode(encode(RECORD))
    registry.resume()

    assert waited < 10
    assert known == RECORD


def test_an_incompatible_schema_is_refused(ids: RegistrySchemaIds) -> None:
    subject, schema = "test-value", releases()[subject_of(CXoneInteraction)][-1].schema
    ids.id_for(subject, schema)
    worse = {**schema, "fields": [*schema["fields"], {"name": "more", "type": "string"}]}

    assert ids.registered(subject, schema)
    assert not ids.registered(subject, worse)
    assert not ids.compatible(subject, worse)
    assert ids.compatible(subject, schema)


def test_a_reader_of_somebody_elses_reads_every_typed_topic(
    registry: Registry, ids: RegistrySchemaIds, kafka: str, new_topic: NewTopicName
) -> None:
    topic, codec, client = new_topic(), Codec(ids), SchemaRegistryClient({"url": registry.url, "timeout": 10})
    producer = Producer({"bootstrap.servers": kafka})
    for record in TYPED:
        producer.produce(topic, codec.encoder(record)(example(codec, record)))
    producer.flush(30)
    consumer = DeserializingConsumer(
        {
            "bootstrap.servers": kafka,
            "group.id": topic,
            "value.deserializer": AvroDeserializer(client),
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    read: list[dict[str, Any]] = []
    while len(read) < len(TYPED):
        message = consumer.poll(10)
        assert message is not None
        read.append(message.value())
    consumer.close()
    client.close()

    for record, fields in zip(TYPED, read, strict=True):
        schema = releases()[subject_of(record)][-1].schema
        assert list(fields) == [field["name"] for field in schema["fields"]]


def example(codec: Codec, record: type[Any]) -> Any:
    """Return a record with values that its schema allows."""
    schema = releases()[subject_of(record)][-1].schema
    data = BytesIO()
    schemaless_writer(data, parse_schema(schema), generate_one(schema))
    _, header = codec._newest(record)
    return codec.decoder(record)(header + data.getvalue())
