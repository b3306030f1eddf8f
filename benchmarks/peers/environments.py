"""What the peers run in, made at the first run and again when its lock or its sources have changed."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.local.kafka.broker import Missing, require_java

FOLDER = Path(__file__).parent
MOST_MEMORY = "-Xmx2g"  # else Java takes a quarter of the machine before it tidies up

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


def java(name: str, told: Told) -> tuple[str, ...]:
    """Return the command that runs the Maven module `java/NAME`, but for its arguments. Raises Missing."""
    folder = FOLDER / "java" / name
    target = folder / "target"
    if _stale(target / "made", [folder / "pom.xml", *(folder / "src").rglob("*.*")]):
        maven = shutil.which("mvn")
        if maven is None or shutil.which("javac") is None:
            raise Missing("The peers in Java need Maven and a JDK: apt-get install maven openjdk-17-jdk-headless")
        told(f"Building the peer {name}; the first time Maven fetches what it needs (a minute or two) ...")
        goals = ("compile", "dependency:copy-dependencies", f"-DoutputDirectory={target / 'libs'}")
        _run(maven, "-q", "-B", "-f", str(folder / "pom.xml"), *goals)
        (target / "made").touch()
    return require_java(), MOST_MEMORY, "-cp", f"{target / 'classes'}:{target / 'libs'}/*", "peers.Main"


def _stale(made: Path, sources: Sequence[Path]) -> bool:
    return not made.exists() or any(source.stat().st_mtime > made.stat().st_mtime for source in sources)


def _run(*command: str) -> None:
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        raise Missing(f"The peers' environment could not be made (why, stands above): {' '.join(command)}")
