"""A real schema registry (Apicurio): ids, time limits, and readers that are none of ours."""

import os
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from io import BytesIO
from typing import Any

import pytest
from confluent_kafka import DeserializingConsumer, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from fastavro import parse_schema, schemaless_writer
from fastavro.utils import generate_one

from connectors.errors import ConnectorError
from connectors.kafka.schema_ids import schema_ids
from connectors.kafka.schema_registry import RegistrySchemaIds
from connectors.kafka.topic_admin import TopicAdmin
from connectors.settings import RegistrySettings
from deploy.local.kafka.broker import Broker, Missing
from deploy.local.registry.registry import Registry, fetch
from schemas import records
from schemas.avro import Codec, schema_id_of
from schemas.envelope import SOURCE_POSITION
from schemas.records import CXoneInteraction
from schemas.releases import FileSchemaIds, releases, subject_of
from schemas.topics import DEAD_LETTERS, INTERACTIONS_ML, ML_SCORES, TOPICS
from streams.topology import topics
from tests.conftest import NewTopicName
from tests.kafka.conftest import NewWorker
from tests.kafka.services.workers import probe, until
from tests.support.committed import read_committed
from tests.support.cut_wire import Wire
from tests.support.ports import free_port
from tests.support.schema_ids_contract import SchemaIdsContract
from tests.support.waiting_contract import WaitingContract

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
    registry = Registry(free_port(), tmp_path_factory.mktemp("registry"))
    registry.start()
    until(lambda: registers(registry), 120, "the registry registers: its first answers take long")
    yield registry
    registry.resume()
    registry.kill()


@pytest.fixture
def ids(registry: Registry) -> Iterator[RegistrySchemaIds]:
    with closing(ids_of(registry)) as ids:
        yield ids


def registers(registry: Registry) -> bool:
    with closing(ids_of(registry)) as ids, suppress(ConnectorError):
        Codec(ids).encoder(CXoneInteraction)
        return True
    return False


def ids_of(registry: Registry) -> RegistrySchemaIds:
    ids = schema_ids(RegistrySettings.model_validate({"url": registry.url}))
    assert isinstance(ids, RegistrySchemaIds)
    return ids


class TestRegistrySchemaIds(SchemaIdsContract):
    """With the fixture above."""


class TestWaiting(WaitingContract):
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

    assert waited < 30  # it is 10 on a machine that has time
    assert known == RECORD


def test_a_worker_waits_for_a_schema_with_readiness_red_and_goes_on(
    registry: Registry, ids: RegistrySchemaIds, own_kafka: Broker, new_worker: NewWorker
) -> None:
    TopicAdmin({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0}).create(topics(), partitions=1)
    simulator = new_worker(own_kafka.bootstrap, "simulate", "--count", "1", program=("-m", "streams")).start()
    wire = Wire(free_port(), to=registry.port)
    url = registry.url.replace(f":{registry.port}/", f":{wire.bootstrap.partition(':')[2]}/")
    settings = {"SCHEMA_REGISTRY_URL": url, "INFERENCE_URL": simulator.ready()["inference_url"]}
    worker = new_worker(own_kafka.bootstrap, "scoring", **settings).start()
    http = worker.ready()["http"]
    assert probe(http, "/readyz")[0] == 200

    wire.cut()
    producer = Producer({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0})
    value = Codec(ids).encoder(CXoneInteraction)(RECORD)
    producer.produce(INTERACTIONS_ML.name, value, b"i-1", headers=[(SOURCE_POSITION, b"0:0")])
    producer.flush(30)
    until(lambda: probe(http, "/readyz")[0] == 503, 60, "readiness is red")
    (reason,) = probe(http, "/readyz")[1]["reasons"]
    assert reason.startswith(f"scoring: waits for schema {schema_id_of(value)}: the schema registry does not answer")
    assert probe(http, "/livez")[0] == 200
    wire.mend()

    until(lambda: read_committed(own_kafka.bootstrap, ML_SCORES.name), 60, "scored")
    until(lambda: probe(http, "/readyz")[0] == 200, 60, "readiness is green")
    assert read_committed(own_kafka.bootstrap, DEAD_LETTERS.name) == []
    assert worker.terminate() == 0, worker.said("not stopped in order")
    wire.close()


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
        producer.produce(topic, codec.encoder(record)(example(record)))
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


def example(record: type[Any]) -> Any:
    """Return a record with values that its schema allows."""
    newest = releases()[subject_of(record)][-1]
    data = BytesIO()
    data.write(b"\0" + newest.id.to_bytes(4, "big"))
    schemaless_writer(data, parse_schema(newest.schema), generate_one(newest.schema))
    return Codec(FileSchemaIds()).decoder(record)(data.getvalue())
