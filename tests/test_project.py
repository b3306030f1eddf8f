"""What holds for the project as a whole."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from schemas.topics import TOPICS

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


def test_the_readme_shows_every_topic() -> None:
    rows = [line.split("|")[1] for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `")]

    assert {topic for row in rows for topic in re.findall("`([^`]+)`", row)} == {spec.name for spec in TOPICS}
