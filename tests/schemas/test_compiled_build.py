"""What is compiled is built and in use in CI, and can be left out: when it is built, and when it runs."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "schemas" / "_usual.c"
LEFT_OUT = "CXONE_STREAMS_NO_EXTENSIONS"
NOT_BUILT = "schemas/_usual.c is not built: get a C compiler and Python.h; touch schemas/_usual.c; make install"


def run(program: str, environment: Mapping[str, str] = {}, *, folder: Path = ROOT, options: Sequence[str] = ()) -> str:
    inherited = {name: value for name, value in os.environ.items() if name != LEFT_OUT}
    done = subprocess.run(
        [sys.executable, *options, "-c", program],
        cwd=folder,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_use(environment: Mapping[str, str] = {}, *, folder: Path = ROOT, options: Sequence[str] = ()) -> bool:
    program = "from schemas.compiled import IS_BUILT; print(IS_BUILT)"
    return {"True\n": True, "False\n": False}[run(program, environment, folder=folder, options=options)]


@pytest.fixture(name="built")
def _built() -> Path:
    spec = find_spec("schemas._usual")
    # An installation of another tree may answer for what is not built in this one: it has that of its own source.
    if spec is None or spec.origin is None or Path(spec.origin).parent != SOURCE.parent:
        if os.environ.get("CI"):
            pytest.fail(NOT_BUILT)
        pytest.skip(NOT_BUILT)
    return Path(spec.origin)


def test_what_is_built_is_in_use_and_of_the_source_as_it_is(built: Path) -> None:
    assert in_use()
    assert built.stat().st_mtime >= SOURCE.stat().st_mtime, "older than its source: make install"


def test_a_variable_leaves_it_out(built: Path) -> None:
    assert not in_use({LEFT_OUT: "1"})
    assert in_use({LEFT_OUT: ""})


def test_without_a_compiler_a_wheel_is_built_that_works(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)

    run("from setuptools import build_meta; build_meta.build_wheel('dist')", {"CC": "false"}, folder=tmp_path)

    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    names = {path.name for path in (tmp_path / "installed" / "schemas").iterdir()}
    assert {"compiled.py", "_usual.pyi"} <= names
    assert not [name for name in names if name.endswith((".so", ".c"))]
    libraries = {"PYTHONPATH": sysconfig.get_path("purelib")}
    assert not in_use(libraries, folder=tmp_path / "installed", options=["-S"]), "-S: without the package as installed"
