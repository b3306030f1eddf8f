"""The document for those who consume our topics."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from schemas.topics import CAMPAIGN_HOURLY, DEAD_LETTERS, RAW_INTERACTIONS, TOPICS
from streams.cli import app

SCHEMA = Path(__file__).parents[2] / "support" / "asyncapi-3.0.0.json"


@pytest.fixture(name="document")
def _document() -> dict[str, Any]:
    done = CliRunner().invoke(app, ["asyncapi", "--server", "broker:9092"])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_is_what_asyncapi_3_allows(document: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text())

    jsonschema.Draft7Validator(schema).validate(document)
    document["channels"]["cxone.alerts"]["adress"] = "misspelt"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(document)


def test_it_has_every_topic_with_records_and_no_other(document: dict[str, Any]) -> None:
    assert set(document["channels"]) == {spec.name for spec in TOPICS if spec.record.isidentifier()}
    assert not {RAW_INTERACTIONS.name, DEAD_LETTERS.name} & set(document["channels"])


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [found for each in node.values() for found in references(each)]
        return [found for each in node for found in references(each)] if isinstance(node, list) else []

    found = references(document)
    assert found
    for reference in found:
        node: Any = document
        for name in reference.removeprefix("#/").split("/"):
            node = node[name]


def test_a_topic_says_its_key_its_writer_and_its_schema(document: dict[str, Any]) -> None:
    channel = document["channels"][CAMPAIGN_HOURLY.name]

    assert channel["description"] == "Key: campaign id|hour. Written by percentiles."
    assert channel["bindings"]["kafka"]["topicConfiguration"] == {"cleanup.policy": ["compact"]}
    payload = document["components"]["schemas"]["CampaignHour"]
    assert payload["schema"]["name"] == "CampaignHour"


def test_it_is_written_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "asyncapi.json"

    assert CliRunner().invoke(app, ["asyncapi", str(path)]).exit_code == 0

    assert json.loads(path.read_text())["asyncapi"] == "3.0.0"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["asyncapi", str(tmp_path / "none" / "asyncapi.json")])

    assert result.exit_code == 2
    assert "asyncapi.json cannot be written: No such file or directory" in result.stderr
