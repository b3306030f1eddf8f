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
MODULES = {"schemas._usual": "schemas.compiled", "streams.runtime.driver._records": "streams.runtime.driver.compiled"}
LEFT_OUT = "CXONE_STREAMS_NO_EXTENSIONS"
NOT_BUILT = "{0} is not built: get a C compiler and Python.h; touch {0}; make install"


def source(module: str) -> Path:
    return ROOT / f"{module.replace('.', '/')}.c"


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


def in_use(
    module: str, environment: Mapping[str, str] = {}, *, folder: Path = ROOT, options: Sequence[str] = ()
) -> bool:
    program = f"from {MODULES[module]} import IS_BUILT; print(IS_BUILT)"
    return {"True\n": True, "False\n": False}[run(program, environment, folder=folder, options=options)]


@pytest.fixture(name="built", params=MODULES)
def _built(request: pytest.FixtureRequest) -> tuple[str, Path]:
    module: str = request.param
    spec = find_spec(module)
    # An installation of another tree may answer for what is not built in this one: it has that of its own source.
    if spec is None or spec.origin is None or Path(spec.origin).parent != source(module).parent:
        why = NOT_BUILT.format(source(module).relative_to(ROOT))
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return module, Path(spec.origin)


def test_what_is_built_is_in_use_and_of_the_source_as_it_is(built: tuple[str, Path]) -> None:
    module, library = built
    assert in_use(module)
    assert library.stat().st_mtime >= source(module).stat().st_mtime, "older than its source: make install"


def test_a_variable_leaves_it_out(built: tuple[str, Path]) -> None:
    module, _ = built
    assert not in_use(module, {LEFT_OUT: "1"})
    assert in_use(module, {LEFT_OUT: ""})


def test_what_was_built_of_an_earlier_source_is_left_out(built: tuple[str, Path]) -> None:
    module, _ = built
    program = f"import {module} as built; built.FORM = 0; from {MODULES[module]} import IS_BUILT; print(IS_BUILT)"
    assert run(program) == "False\n"


def test_without_a_compiler_a_wheel_is_built_that_works(tmp_path: Path) -> None:
    for room in ("schemas", "connectors", "streams"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)

    run("from setuptools import build_meta; build_meta.build_wheel('dist')", {"CC": "false"}, folder=tmp_path)

    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    names = {path.name for path in (tmp_path / "installed").rglob("*")}
    assert {"compiled.py", "_usual.pyi", "_records.pyi"} <= names
    assert not [name for name in names if name.endswith((".so", ".c"))]
    libraries = {"PYTHONPATH": sysconfig.get_path("purelib")}
    for module in MODULES:  # -S: without the package as installed
        assert not in_use(module, libraries, folder=tmp_path / "installed", options=["-S"])
