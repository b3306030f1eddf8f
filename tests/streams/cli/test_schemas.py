"""`cxone-streams schemas` without a registry."""

import pytest
from typer.testing import CliRunner

from schemas import releases as module
from schemas.releases import Release, releases
from streams.cli.schemas import app


def test_the_released_schemas_are_compatible_and_unchanged() -> None:
    done = CliRunner().invoke(app, ["check"])

    assert done.exit_code == 0
    assert f"{len(releases())} subjects" in done.output


def test_every_release_is_listed() -> None:
    done = CliRunner().invoke(app, ["list"])

    assert "cxone-interactions-ml-value  20  CXoneInteraction.v1.avsc  CXoneInteraction" in done.output.splitlines()


def test_a_schema_that_cannot_read_its_predecessor_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = releases()["cxone-interactions-ml-value"][-1], releases()["cxone.dashboard.changes-value"][-1]
    edited = Release(first.id, first.file, "0" * 64)
    monkeypatch.setattr(module, "releases", lambda: {"subject-value": (edited, other)})

    done = CliRunner().invoke(app, ["check"])

    assert done.exit_code == 1
    assert "CXoneInteraction.v1.avsc was edited after its release" in done.output
    assert "DashboardChange.v1.avsc cannot read what CXoneInteraction.v1.avsc wrote" in done.output


def test_a_registry_that_is_not_set_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCHEMA_REGISTRY_URL", raising=False)

    done = CliRunner().invoke(app, ["register"])

    assert done.exit_code == 2
    assert "SCHEMA_REGISTRY_URL: is not set" in done.output
