"""Behaviour of Faust 0.15 and aiokafka 0.14 that we overrule or rely on: a release that changes it fails here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faust.auth import SASLCredentials
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from mode import CrashingSupervisor
from pydantic import SecretStr

from connectors.settings import KafkaSettings
from deploy.local.kafka.broker import Broker
from schemas.topics import CAMPAIGN_HOURLY
from streams.runtime.app import App, build_app
from streams.runtime.settings import WorkerSettings
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.hours import await_committed, mistakes, read
from tests.kafka.services.traffic import Traffic
from tests.kafka.services.workers import until

NewApp = Callable[[KafkaSettings], App]


@pytest.fixture
def new_app(tmp_path: Path) -> NewApp:
    return lambda kafka: build_app("test", "source", kafka, WorkerSettings(data_dir=tmp_path))


def test_a_password_goes_over_tls_because_the_context_is_inside_the_credentials(new_app: NewApp) -> None:
    app = new_app(
        KafkaSettings(security_protocol="SASL_SSL", sasl_username="me", sasl_password=SecretStr("secret-0815"))
    )

    auth = credentials_to_aiokafka_auth(app.conf.broker_credentials)

    assert auth["security_protocol"] == "SASL_SSL"
    assert auth["ssl_context"].check_hostname
    assert auth["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (auth["sasl_plain_username"], auth["sasl_plain_password"]) == ("me", "secret-0815")
    without = credentials_to_aiokafka_auth(SASLCredentials(username="me", password="secret-0815"), auth["ssl_context"])
    assert without["security_protocol"] == "SASL_PLAINTEXT", "the trap has closed: streams.runtime.app may be simpler"


def test_defaults_that_lose_records_or_open_doors_are_overruled(new_app: NewApp) -> None:
    conf: Any = new_app(KafkaSettings()).conf

    assert not conf.web_enabled
    assert conf.agent_supervisor is CrashingSupervisor
    assert conf.producer_request_timeout <= 30
    assert conf.consumer_auto_offset_reset == "earliest"
    assert not conf.topic_allow_declare
    assert conf.table_standby_replicas == 0


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
def test_tables_come_back_after_a_kill(own_kafka: Broker, new_worker: NewWorker, store: str) -> None:
    if store == "rocksdb":
        pytest.importorskip("rocksdb")
    stages = ("normalise", "percentiles")
    workers = [new_worker(own_kafka.bootstrap, stage, STREAMS_STORE=store).start() for stage in stages]
    for worker in workers:
        worker.ready()
    traffic = Traffic(own_kafka.bootstrap, seed=2, events=8000, rate=2000)
    traffic.start()
    until(lambda: read(own_kafka.bootstrap, CAMPAIGN_HOURLY.name), 60, "windows before the kill")

    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.start()
    traffic.finish()
    await_committed(own_kafka.bootstrap, within=180)

    assert mistakes(own_kafka.bootstrap, traffic) == []
