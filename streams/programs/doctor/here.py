"""What can be looked at without asking anybody: settings, the dialect, files, codecs."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from pydantic_settings import BaseSettings

from connectors import dotenv
from connectors.cxone import dialect
from connectors.errors import ConfigurationError
from connectors.settings import NO_EXTENSIONS, DialectSettings, load, variable
from connectors.sinks.sqlite.settings import SqliteSettings
from schemas import compiled
from streams import topology
from streams.programs.doctor.findings import Check, Colour, Wrong
from streams.runtime.driver import compiled as compiled_driver
from streams.runtime.settings import WorkerSettings
from streams.stages.audit.settings import AuditSettings

LEAST_FREE, LITTLE_FREE = 200 << 20, 2 << 30  # bytes
UNSET = "is not set"


def checks() -> list[Check]:
    """Return the checks that need no network."""
    return [
        Check("settings", settings, "see .env.example"),
        Check("names of settings", lambda: names(given(os.environ)), "see .env.example"),
        Check("dialect", spoken, "compare it with connectors/cxone/dialects/v2.yaml"),
        Check("codecs", codecs, "install what requirements.lock has: aiokafka's extras bring cramjam"),
        Check("compiled", in_c, "install a C compiler and Python.h, then cxone-streams again"),
        Check("SQLite", sqlite, "make the folder of SQLITE_PATH, for the user that runs the worker"),
        Check("disk", lambda: disk(shutil.disk_usage), "make room, or move STREAMS_DATA_DIR, SQLITE_PATH or AUDIT_DIR"),
    ]


def given(environment: Mapping[str, str], env_file: Path = Path(".env")) -> list[str]:
    """Return the names that are set, in the environment or the file."""
    return [*(name for name in environment if name != NO_EXTENSIONS), *dict(dotenv.of(env_file))]


def settings() -> str:
    """Say whether what is set can be used; what is needed and not set is yellow: not every stage may run here."""
    wrong: list[str] = []
    unset: list[str] = []
    for model in topology.settings_models():
        try:
            load(model)
        except ConfigurationError as mistakes:
            for line in str(mistakes).splitlines():
                (unset if UNSET in line else wrong).append(line)
    if wrong:
        raise Wrong("; ".join(dict.fromkeys(wrong)))
    if unset:
        missing = sorted({line.partition(":")[0].partition(" ")[0] for line in unset})
        raise Wrong(
            f"not set: {', '.join(missing)}",
            "set those that the stages and connectors that you run need: .env.example says which",
            colour=Colour.YELLOW,
        )
    return "every setting can be used"


def names(found: Iterable[str]) -> str:
    """Say whether names that look like settings are some."""
    known = _variables(topology.settings_models())
    prefixes = tuple({str(model.model_config["env_prefix"]) for model in topology.settings_models()} - {""})
    strange = sorted({name for name in found if name.startswith(prefixes) and name not in known})
    if not strange:
        return "none is misspelt"
    guesses = [
        f"{name} (did you mean {close[0]}?)" if (close := get_close_matches(name, known, n=1)) else name
        for name in strange
    ]
    raise Wrong(f"no settings of ours: {', '.join(guesses)}", colour=Colour.YELLOW)


def _variables(models: Sequence[type[BaseSettings]]) -> set[str]:
    return {variable(model, field) for model in models for field in model.model_fields}


def spoken() -> str:
    """Say whether the dialect can be read."""
    name = load(DialectSettings).dialect
    dialect.load(name)
    return f"{name} can be read"


def codecs() -> str:
    """Say whether batches in every codec of Kafka's can be read."""
    try:
        from cramjam import lz4, snappy, zstd  # noqa: F401, PLC0415 - aiokafka's, of which only the runtime may know
    except ImportError:
        raise Wrong("batches in snappy, lz4 or zstd would end a worker") from None
    return "gzip, snappy, lz4 and zstd can be read"


def in_c() -> str:
    """Say whether what is compiled is in use."""
    modules = {"schemas/_usual.c": compiled.IS_BUILT, "streams/runtime/driver/_records.c": compiled_driver.IS_BUILT}
    missing = [name for name, is_built in modules.items() if not is_built]
    if not missing:
        return "usual interactions, and what Kafka sends, are read in C"
    slower = "records take more CPU"
    if os.environ.get(NO_EXTENSIONS):
        raise Wrong(f"left out by {NO_EXTENSIONS}: {slower}", "unset it", colour=Colour.YELLOW)
    raise Wrong(f"not compiled: {', '.join(missing)}: {slower}", colour=Colour.YELLOW)


def sqlite() -> str:
    """Say whether the folder of the file is there and takes files."""
    path = load(SqliteSettings).path
    if not path.parent.is_dir():
        raise Wrong(f"the folder of {path} is not there", colour=Colour.YELLOW)
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as refused:
        raise Wrong(f"the folder of {path} takes no file: {refused.strerror}") from None
    if path.exists() and not os.access(path, os.W_OK):
        raise Wrong(f"{path} is not writable")
    return f"{path} is writable"


def disk(usage: Callable[[Path], object]) -> str:
    """Say whether there is room where files are written."""
    folders = {_there(path) for path in (load(WorkerSettings).data_dir, load(SqliteSettings).path, _audit())}
    free = min((int(usage(folder).free), str(folder)) for folder in folders)  # type: ignore[attr-defined]  # of shutil
    said = f"{free[0] / (1 << 30):.1f} GiB are free at {free[1]}"
    if free[0] < LITTLE_FREE:
        raise Wrong(said, colour=Colour.RED if free[0] < LEAST_FREE else Colour.YELLOW)
    return said


def _audit() -> Path:
    try:
        return load(AuditSettings).dir
    except ConfigurationError:  # of its key: said elsewhere
        return Path()


def _there(path: Path) -> Path:
    path = path.absolute()
    while not path.is_dir():
        path = path.parent
    return path
