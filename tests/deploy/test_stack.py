"""What deploy/ says is what the code has: names of settings, commands, stages, ports."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml

from connectors.ingress.webhooks.settings import WebhookSecrets, WebhookSettings
from connectors.settings import CxoneSettings, DialectSettings, KafkaSettings, load, variable
from deploy.k8s import generate
from deploy.urls import URLS
from streams import topology
from streams.cli import app
from streams.core.audit.heads import new_key

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: Mapping[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "cxone-streams:local"}
PROGRAMS = {*topology.STAGES, *(f"connect-{name}" for name in topology.CONNECTORS)}
VARIABLES = {variable(model, field) for model in topology.settings_models() for field in model.model_fields}
PORT = 8080
GIVEN = re.compile(r"\$\{(\w+)(?::?[-?]([^}]*))?\}")


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name(name), *arguments], cwd=DEPLOY, capture_output=True, text=True, check=False
    )


def filled(text: str, **given: str) -> str:
    """Put in what Compose would: what is given, or else the default."""
    return GIVEN.sub(lambda found: given.get(found[1], found[2] or ""), text)


def listed(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def command_of(arguments: list[str]) -> tuple[Any, list[str]]:
    """Return the command that arguments lead to, and those behind its name."""
    found: Any = typer.main.get_command(app)
    rest = [filled(argument) for argument in arguments]
    while hasattr(found, "commands"):
        found = found.commands[rest.pop(0)]
    return found, rest


def known(arguments: list[str]) -> None:
    command, rest = command_of(arguments)
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {argument.partition("=")[0] for argument in rest if argument.startswith("--")} <= options
    if command.name == "worker":
        assert set(rest) <= set(topology.STAGES)


def manifests() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted((DEPLOY / "k8s").rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield path, document


def test_compose_is_what_its_specification_allows() -> None:
    done = tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")

    assert done.returncode == 0, done.stdout


def test_the_image_has_nothing_that_its_linter_complains_of() -> None:
    done = tool("hadolint", "Dockerfile")

    assert done.returncode == 0, done.stdout


def test_every_stage_and_connector_is_a_service_and_no_other() -> None:
    commands = {name: service.get("command", []) for name, service in OURS.items()}

    assert {name for name, command in commands.items() if command[:1] in (["worker"], ["connect"])} == PROGRAMS
    for name in PROGRAMS:
        expected = ["connect", name.removeprefix("connect-")] if name.startswith("connect-") else ["worker", name]
        assert commands[name] == expected


def test_every_command_and_option_is_one_of_ours() -> None:
    for service in OURS.values():
        if "command" in service:
            known(service["command"])
    script = OURS["audit-key"]["entrypoint"][-1]
    known(shlex.split(script.partition("python -m streams ")[2]))


def test_every_name_of_a_setting_is_one_of_ours() -> None:
    set_in_image = (DEPLOY / "Dockerfile").read_text().partition("ENV ")[2].partition("COPY")[0]
    image = set(re.findall(r"\b([A-Z_]+)=", set_in_image))
    in_compose = {name for service in OURS.values() for name in service.get("environment", {})}
    files = {*listed(DEPLOY / "demo.env"), *listed(DEPLOY / "cxone.env.example")}

    assert in_compose | files <= VARIABLES
    assert image - {"PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "HOME"} <= VARIABLES


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_every_program_has_all_the_settings_that_it_needs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in VARIABLES:
        monkeypatch.delenv(each, raising=False)
    secrets = dict.fromkeys(("CXONE_CLIENT_SECRET", "INFLUX_TOKEN", "CXONE_WEBHOOK_SECRETS"), "s" * 32)
    environment = {key: filled(value, **secrets) for key, value in OURS[name]["environment"].items()}
    key = tmp_path / "audit.pem"
    key.write_bytes(new_key()[0])
    if "AUDIT_KEY" in environment:
        environment["AUDIT_KEY"] = str(key)
    for each, value in {**listed(DEPLOY / "demo.env"), **environment}.items():
        monkeypatch.setenv(each, value)
    models: tuple[Any, ...] = (KafkaSettings, CxoneSettings)
    if name == "connect-webhooks":
        models = (KafkaSettings, DialectSettings, WebhookSettings, WebhookSecrets)
    elif name in topology.STAGES:
        models = topology.settings_of(name)

    for model in models:
        load(model, env_file=tmp_path / "none")


def test_probes_and_prometheus_ask_where_programs_answer() -> None:
    image = (DEPLOY / "Dockerfile").read_text()
    assert f"STREAMS_HTTP_PORT={PORT}" in image
    assert f"127.0.0.1:{PORT}/readyz" in image
    assert OURS["connect-webhooks"]["environment"]["WEBHOOKS_PORT"] == str(PORT)
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][0]
    (found,) = scraped["dns_sd_configs"]
    assert (set(found["names"]), found["port"]) == (PROGRAMS, PORT)


def test_nothing_is_open_on_another_address_than_this_machine_s_and_images_have_versions() -> None:
    open_ = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert all(port.startswith("127.0.0.1:") for port in open_)
    assert all(re.search(r":v?\d+\.\d+", service["image"]) for name, service in SERVICES.items() if name not in OURS)
    told = {url.removeprefix("http://").partition("/")[0] for url in URLS.values()}
    assert told <= {port.rpartition(":")[0] for port in open_}


def test_our_containers_may_do_little() -> None:
    for name, service in OURS.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
    assert "USER 10001:10001" in (DEPLOY / "Dockerfile").read_text()


def test_the_programs_of_kubernetes_are_written_from_the_declarations() -> None:
    for path, objects in generate.manifests().items():
        assert (DEPLOY / "k8s" / path).read_text() == generate.text(objects), "run: python deploy/k8s/generate.py"


def test_kubernetes_takes_every_manifest() -> None:
    for path, document in manifests():
        if document["kind"] != "Kustomization":
            kubernetes_validate.validate(document, "1.37", strict=True)
        else:
            assert all((path.parent / each).exists() for each in document["resources"]), path


def test_kubernetes_sets_what_is_a_setting_and_runs_what_is_a_command() -> None:
    for _, document in manifests():
        for literal in (each for config in document.get("configMapGenerator", []) for each in config["literals"]):
            assert literal.partition("=")[0] in VARIABLES, literal
        pod = document.get("spec", {}).get("template", {}).get("spec", {})
        for container in pod.get("containers", []):
            known(container["args"])
            assert {each["name"] for each in container.get("env", [])} <= VARIABLES
            assert container["securityContext"]["readOnlyRootFilesystem"]
    secret = (DEPLOY / "k8s" / "base" / "common.yaml").read_text().partition("apiVersion")[0]
    names = set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", secret)) - {"KAFKA_SASL_"}
    assert names <= VARIABLES
