"""What holds for the project as a whole."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from schemas.releases import releases
from schemas.topics import DEAD_LETTERS, TOPICS
from streams import topology

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ["requirements.lock", "requirements-dev.lock"]


def _locked(name: str) -> dict[str, set[str]]:
    """Return the versions of each package: several, where they depend on the Python."""
    versions: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE):
        versions.setdefault(package, set()).add(version)
    return versions


def _files() -> Iterator[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    yield from (ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file())


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        ("requirements.lock", PROJECT["project"]["dependencies"]),
        ("requirements-dev.lock", PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]),
    ],
)
def test_the_lock_has_what_the_project_asks_for(lock: str, requirements: list[str]) -> None:
    versions = _locked(lock)

    for requirement in map(Requirement, requirements):
        assert versions[requirement.name.lower()], requirement.name
        assert all(requirement.specifier.contains(version) for version in versions[requirement.name.lower()])


def test_what_runs_is_what_is_tested() -> None:
    runtime, dev = (_locked(lock) for lock in LOCKS)

    assert runtime.items() <= dev.items()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host_and_hashes_everything(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert "://" not in text
    assert text.count("--hash=") >= len(_locked(lock))


def test_every_make_target_says_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert targets is not None

    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert [line.split()[0] for line in shown.splitlines()] == targets[1].split()


def test_nothing_depends_on_the_machine_it_was_written_on() -> None:
    beside = re.compile(r"\.\./shared|/(?:work|root|home/\w+)/")
    mine = {Path(__file__), ROOT / ".ci" / "run"}  # CI may take a ready binary from beside the repository

    found = [path for path in _files() if path not in mine and beside.search(path.read_text(errors="replace"))]

    assert found == []


def _table(heading: str) -> dict[str, list[str]]:
    """Return the rows of a table of the README by each name in their first cell."""
    text = (ROOT / "README.md").read_text().partition(heading)[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.replace("\\|", "/").splitlines()]
    return {name: row for row in rows for name in re.findall("`([^`]+)`", row[0])}


def test_the_readme_says_who_writes_and_reads_each_topic() -> None:
    rows = _table("| topic | key | record | written by | read by |\n|---|---|---|---|---|\n")

    assert set(rows) == {spec.name for spec in TOPICS}
    for spec in TOPICS:
        if spec is not DEAD_LETTERS:  # everybody's
            writes, reads = (set(re.findall("`([^`]+)`", cell)) for cell in rows[spec.name][3:5])
            assert writes == set(topology.writers(spec.name)), f"README: who writes {spec.name}?"
            assert reads == set(topology.readers(spec.name)), f"README: who reads {spec.name}?"


def test_the_readme_shows_every_changelog() -> None:
    changelogs = {log.name for each in topology.DECLARATIONS.values() for log in each.changelogs}

    assert set(_table("| changelog | holds |\n|---|---|\n")) == changelogs


@pytest.mark.parametrize("stage", topology.STAGES)
def test_every_stage_has_its_page(stage: str) -> None:
    page = ROOT / "docs" / "stages" / f"{stage}.md"

    assert page.is_file(), f"{stage} is documented nowhere: write docs/stages/{stage}.md"
    assert f"docs/stages/{stage}.md" in (ROOT / "README.md").read_text(), f"README: link docs/stages/{stage}.md"


@pytest.mark.parametrize("connector", topology.CONNECTORS)
def test_every_connector_has_its_page(connector: str) -> None:
    page = ROOT / "docs" / "connectors" / f"{connector}.md"

    assert page.is_file(), f"connect {connector} is documented nowhere: write docs/connectors/{connector}.md"


def test_every_record_on_a_topic_has_a_released_schema() -> None:
    named = {spec.name: spec.record for spec in TOPICS if spec.record.isidentifier()}
    first = {record: topic for topic, record in reversed(named.items())}

    missing = [f"{topic}-value" for topic in first.values() if f"{topic}-value" not in releases()]
    assert not missing, f"schemas/ids.json lists no release for {missing}: add the schema to schemas/avsc, and its id"


def test_connectors_are_those_of_the_command() -> None:
    from streams.cli.connect import app  # noqa: PLC0415 - the command loads nothing else

    assert {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    } == set(topology.CONNECTORS)


PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_prose_is_at_most_120_columns_wide(page: Path) -> None:
    """Tables and code cannot be wrapped."""
    code = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
    prose = code.sub(lambda found: "\n" * found[0].count("\n"), page.read_text())
    lines = [(number, line) for number, line in enumerate(prose.splitlines(), 1) if not line.lstrip().startswith("|")]

    assert [(number, len(line)) for number, line in lines if len(line) > 120] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in link]

    assert [link for link in links if link and not (page.parent / link).exists()] == []
