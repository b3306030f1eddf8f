"""What doctor says of things that are wrong, against stand-ins on real sockets."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from connectors.errors import ConnectorError
from connectors.settings import variable
from connectors.simulator.faults import Faults
from connectors.simulator.interactions.traffic import Plan
from connectors.simulator.server import Addresses, Simulation, serve
from streams.cli import app
from streams.programs.doctor import here, others, samples
from streams.programs.doctor.findings import Check, Colour, Finding, Look, Wrong, findings
from streams.topology import settings_models

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for model in settings_models():
        for field in model.model_fields:
            monkeypatch.delenv(variable(model, field), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(name="simulated")
async def _simulated(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Addresses]:
    async with serve(Simulation(plan=Plan(number=1), faults=Faults(scopes_withheld=("routing:write",)))) as addresses:
        for name, value in {
            "CXONE_CLIENT_ID": "simulator",
            "CXONE_CLIENT_SECRET": "simulator-secret",
            "CXONE_INTERACTIONS_TOKEN_URL": addresses.token_url,
            "CXONE_MESSAGING_TOKEN_URL": addresses.messaging_token_url,
            "CXONE_ANALYTICS_TOKEN_URL": NOWHERE,
            "CXONE_DASHBOARDS_TOKEN_URL": addresses.messaging_token_url,
            "INFLUX_URL": addresses.influx_url,
            "INFLUX_TOKEN": "simulator-token",
            "INFLUX_ORG": "cxone",
            "INFLUX_BUCKET": "cxone",
            "CRM_URL": addresses.crm_url,
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        }.items():
            monkeypatch.setenv(name, value)
        yield addresses


async def found() -> dict[str, Finding]:
    return {each.check: each for each in await findings(others.checks())}


async def test_each_system_is_asked_by_itself(simulated: Addresses) -> None:
    said = await found()

    assert said["token for interactions"].colour is Colour.GREEN
    assert said["token for messaging"].colour is Colour.RED
    assert "routing:write" in said["token for messaging"].said
    assert "did not answer" in said["token for analytics"].said
    assert said["InfluxDB"].colour is said["CRM"].colour is Colour.GREEN, said
    assert said["model"].colour is Colour.YELLOW
    assert said["Kafka"].colour is Colour.RED
    assert said["topics"] == said["topics"].__class__(
        "topics", Colour.YELLOW, "Kafka was not reached", "mend that first"
    )


@pytest.mark.parametrize(
    ("name", "value", "check", "words"),
    [
        ("CXONE_CLIENT_SECRET", "wrong-secret-0123", "token for interactions", "refuse"),
        ("INFLUX_BUCKET", "elsewhere", "InfluxDB", "elsewhere"),
        ("INFLUX_TOKEN", "wrong-token-0123", "InfluxDB", "401"),
        ("INFLUX_URL", NOWHERE, "InfluxDB", "did not answer"),
    ],
)
async def test_what_is_wrong_is_red_and_says_what_and_no_secret(  # noqa: PLR0913, PLR0917 - fixtures
    simulated: Addresses, monkeypatch: pytest.MonkeyPatch, name: str, value: str, check: str, words: str
) -> None:
    monkeypatch.setenv(name, value)

    finding = (await found())[check]

    assert finding.colour is Colour.RED
    assert words in finding.said
    assert finding.do
    assert "wrong-" not in finding.said


async def test_checks_run_side_by_side_and_none_holds_up_or_hides_the_others() -> None:
    async def hangs() -> str:
        await asyncio.sleep(60)
        return "never"

    def refuses() -> str:
        raise ConnectorError("two\nlines")

    def breaks() -> str:
        raise ZeroDivisionError("secret")

    def worth_knowing() -> str:
        raise Wrong("odd", "look", colour=Colour.YELLOW)

    looks: tuple[Look, ...] = (hangs, hangs, refuses, breaks, worth_knowing, lambda: "well")
    began = time.monotonic()

    said = await findings([Check(str(n), look, "mend") for n, look in enumerate(looks)], deadline=3)

    assert time.monotonic() - began < 30, "not one after the other"
    assert [each.colour for each in said] == ["red", "red", "red", "red", "yellow", "green"]
    assert [each.said for each in said[2:]] == [
        "two; lines",
        "the check itself failed: ZeroDivisionError",
        "odd",
        "well",
    ]
    assert said[0].said == "no answer within 3 s"


def test_a_misspelt_name_is_guessed_and_others_names_are_none_of_ours() -> None:
    with pytest.raises(Wrong, match=r"CRM_URI \(did you mean CRM_URL\?\)") as wrong:
        here.names(["CRM_URI", "PATH", "KAFKA_BOOTSTRAP_SERVERS"])

    assert "PATH" not in str(wrong.value)
    assert here.names(["PATH", "CRM_URL"]) == "none is misspelt"


@pytest.mark.parametrize(
    ("built", "environment", "said"),
    [
        (True, {}, "read in C"),
        (False, {}, "not compiled: schemas/_usual.c, streams/runtime/driver/_records.c"),
        (False, {"CXONE_STREAMS_NO_EXTENSIONS": "1"}, "left out by CXONE_STREAMS_NO_EXTENSIONS"),
    ],
)
def test_it_is_told_whether_what_is_compiled_is_in_use(
    monkeypatch: pytest.MonkeyPatch, built: bool, environment: dict[str, str], said: str
) -> None:
    monkeypatch.setattr("schemas.compiled.IS_BUILT", built)
    monkeypatch.setattr("streams.runtime.driver.compiled.IS_BUILT", built)
    monkeypatch.delenv("CXONE_STREAMS_NO_EXTENSIONS", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    (found,) = asyncio.run(findings([each for each in here.checks() if each.name == "compiled"]))

    assert found.colour is (Colour.GREEN if built else Colour.YELLOW)
    assert said in found.said
    assert bool(found.do) is not built


def test_what_leaves_it_out_is_no_misspelt_setting_but_does_nothing_in_a_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CXONE_STREAMS_NO_EXTENSIONS=1\n")

    assert here.given({"CXONE_STREAMS_NO_EXTENSIONS": "1"}, tmp_path / "none") == []
    assert here.given({}, tmp_path / ".env") == ["CXONE_STREAMS_NO_EXTENSIONS"]


@pytest.mark.parametrize(("free", "colour"), [(1, Colour.RED), (1 << 30, Colour.YELLOW)])
def test_little_room_is_told(free: int, colour: Colour) -> None:
    with pytest.raises(Wrong, match="GiB are free") as wrong:
        here.disk(lambda _: SimpleNamespace(free=free))

    assert wrong.value.colour is colour


def test_the_command_lints_without_asking_anybody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("interactoins: {}\n")
    monkeypatch.setenv("CXONE_DIALECT", "mine.yaml")
    monkeypatch.setenv("STREAMS_HTTP_PORT", "nonsense")

    done = CliRunner().invoke(app, ["doctor", "--offline", "--json"])

    said = {each["check"]: each for each in json.loads(done.stdout)}
    assert done.exit_code == 1
    assert "Did you mean interactions?" in said["dialect"]["said"]
    assert "STREAMS_HTTP_PORT" in said["settings"]["said"]
    assert said["codecs"]["colour"] == "green"
    assert "Kafka" not in said


def test_a_line_for_each_check_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQLITE_PATH", "nowhere/metrics.db")

    done = CliRunner().invoke(app, ["doctor", "--offline"])

    assert done.exit_code == 0, "what may be as it should is not wrong"
    assert "! SQLite: the folder of nowhere/metrics.db is not there -> make the folder" in done.stdout
    assert len(done.stdout.splitlines()) == len([*here.checks(), *samples.checks({})])
