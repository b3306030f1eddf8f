"""`make stage`: what it writes runs, and every check is green, for each shape."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHAPES = sorted(folder.name for folder in (ROOT / "scaffold" / "templates").iterdir() if folder.name != "shared")
TOOLS = Path(sys.executable).parent


def run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def scaffold(folder: Path, name: str, reads: str, like: str) -> subprocess.CompletedProcess[str]:
    program = (sys.executable, "scaffold/stage.py")
    return run(folder, *program, f"--name={name}", f"--reads={reads}", f"--like={like}")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository, with a stage of each shape."""
    folder = tmp_path_factory.mktemp("scaffold")
    for name in run(ROOT, "git", "ls-files", "-co", "--exclude-standard").stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for room in ("schemas", "streams/runtime/driver"):  # CI wants what is compiled, and git does not know it
        for compiled in (ROOT / room).glob("*.so"):
            shutil.copy(compiled, folder / room)
    if (ROOT / ".mypy_cache").exists():  # then types are checked in seconds
        shutil.copytree(ROOT / ".mypy_cache", folder / ".mypy_cache")
    for shape in SHAPES:
        made = scaffold(folder, f"made-{shape}", "cxone.interactions.completed", shape)
        assert made.returncode == 0, made.stderr
    return folder


def test_what_it_writes_is_formatted_and_keeps_the_contracts(copy: Path) -> None:
    for command in (
        [TOOLS / "ruff", "check", "."],
        [TOOLS / "ruff", "format", "--check", "."],
        [TOOLS / "lint-imports"],
    ):
        checked = run(copy, *command)
        assert checked.returncode == 0, checked.stdout


def test_what_it_writes_has_its_types(copy: Path) -> None:
    checked = run(copy, TOOLS / "mypy", *(f"streams/stages/made_{s}" for s in SHAPES))

    assert checked.returncode == 0, checked.stdout


def test_the_laws_and_lists_of_what_it_writes_are_green(copy: Path) -> None:
    laws = [f"tests/streams/stages/made_{shape}" for shape in SHAPES]
    lists = ["tests/streams/test_topology.py", "tests/test_purity.py", "tests/schemas", "tests/test_project.py"]

    pytest_here = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")

    tested = run(copy, *pytest_here, "-k", "not lock and not machine", *laws, *lists)

    assert tested.returncode == 0, tested.stdout[-3000:]


@pytest.mark.parametrize(
    ("name", "reads", "said"),
    [
        ("Skills", "cxone.interactions.completed", "lower-case words"),
        ("percentiles", "cxone.interactions.completed", "there is a stage percentiles already"),
        ("skills", "cxone.nothing", "Choose from: cxone.raw.interactions"),
        ("skills", "cxone.raw.interactions", "begin with normalise"),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_would_be_right(name: str, reads: str, said: str) -> None:
    refused = scaffold(ROOT, name, reads, "rows")

    assert refused.returncode == 2
    assert said in refused.stderr
