"""What the peers run in, made at the first run and again when its lock has changed."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.local.kafka.broker import Missing

FOLDER = Path(__file__).parent

Told = Callable[[str], None]


def python(name: str, told: Told) -> str:
    """Return the Python that has what `requirements-NAME.lock` lists. Raises Missing."""
    folder, lock = FOLDER / f".venv-{name}", FOLDER / f"requirements-{name}.lock"
    interpreter = str(folder / "bin" / "python")
    if _stale(folder / "made", [lock]):
        told(f"Installing what the peer {name} needs ...")
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        pip = (interpreter, "-m", "pip", "install", "-q", "--disable-pip-version-check")
        _run(*pip, "--only-binary", ":all:", "--require-hashes", "-r", str(lock))
        (folder / "made").touch()
    return interpreter


def _stale(made: Path, sources: Sequence[Path]) -> bool:
    return not made.exists() or any(source.stat().st_mtime > made.stat().st_mtime for source in sources)


def _run(*command: str) -> None:
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        raise Missing(f"The peers' environment could not be made (why, stands above): {' '.join(command)}")
