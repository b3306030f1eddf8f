"""Secrets of all settings, as programs keep them out of their log lines."""

import os
from pathlib import Path

import pytest

from connectors.logs import redactor
from connectors.settings import secrets
from streams.demo.processes import SETTINGS
from streams.topology import settings_models

COMPLETE = """
KAFKA_SASL_PASSWORD=of-kafka
SCHEMA_REGISTRY_USERNAME=app
SCHEMA_REGISTRY_PASSWORD=of-the-registry
CXONE_CLIENT_ID=us
CXONE_CLIENT_SECRET=of-cxone
INFLUX_TOKEN=of-influxdb
INFLUX_ORG=org
INFLUX_BUCKET=bucket
CRM_URL=https://crm.test
CRM_TOKEN=of-the-crm
"""


@pytest.fixture(autouse=True)
def only_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(SETTINGS):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_secrets_of_every_stage_are_hidden() -> None:
    Path(".env").write_text(COMPLETE)

    line = redactor(secrets(settings_models()))(
        None, "", "of-kafka of-the-registry of-cxone of-influxdb of-the-crm of-nobody"
    )

    assert line == "*** *** *** *** *** of-nobody"


def test_settings_that_no_stage_here_needs_may_be_incomplete() -> None:
    Path(".env").write_text("KAFKA_SASL_PASSWORD=of-kafka\nINFLUX_BUCKET=bucket\n")

    assert [secret.get_secret_value() for secret in secrets(settings_models())] == ["of-kafka"]
