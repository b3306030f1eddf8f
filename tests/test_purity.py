"""Cores are pure: a fresh interpreter that imports one has loaded no client, no framework and no event loop."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
IMPURE = (
    "faust",
    "mode",
    "aiokafka",
    "confluent_kafka",
    "httpx",
    "aiohttp",
    "asyncio",
    "connectors",
    "streams.runtime",
)
SHELLS = {"streams/stages/crm/calls.py"}  # a caller: it waits for answers


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


CORE = sorted(map(module, (ROOT / "streams" / "core").rglob("*.py")))
OF_STAGES = sorted(
    module(path)
    for path in (ROOT / "streams" / "stages").rglob("*.py")
    if path.name not in {"app.py", "settings.py"} and str(path.relative_to(ROOT)) not in SHELLS
)


@pytest.mark.parametrize("modules", [CORE, OF_STAGES], ids=["core", "stages"])
def test_cores_load_nothing_impure(modules: list[str]) -> None:
    program = (
        "import importlib, sys\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        f"    loaded = sorted(set({IMPURE!r}) & set(sys.modules))\n"
        "    assert not loaded, f'{name} loads {loaded}'\n"
        "print(len(sys.modules))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stderr
    assert modules
