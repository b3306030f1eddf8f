"""The stages and connectors of this system, and what follows from their declarations.

For those who know Faust: `faust -A streams.topology:percentiles worker` runs a stage as well.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.topics import (
    DASHBOARD_AUDIT,
    DASHBOARD_AUDIT_HEADS,
    DASHBOARD_COMMANDS,
    DAY_MS,
    DEAD_LETTERS,
    DEAD_LETTERS_SETTLED,
    EVENT_TIME,
    RAW_ANALYTICS,
    RAW_INTERACTIONS,
    RAW_MESSAGES,
    RAW_WEBHOOKS,
    SUBSCRIPTIONS,
    TOPICS,
    TopicSpec,
)
from streams import stages
from streams.core.declaration import Declaration

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

    from streams.runtime.app import App

# What each `cxone-streams connect` writes. The dead letters are everybody's and are not named.
CONNECTORS: Mapping[str, tuple[TopicSpec, ...]] = {
    "interactions": (RAW_INTERACTIONS,),
    "messaging": (RAW_MESSAGES,),
    "webhooks": (RAW_WEBHOOKS,),
    "analytics": (RAW_ANALYTICS, SUBSCRIPTIONS),
}
# What commands of a person's write.
COMMANDS: Mapping[str, tuple[TopicSpec, ...]] = {
    "dashboards apply": (DASHBOARD_COMMANDS,),
    "dashboards subscribe": (SUBSCRIPTIONS,),
    "dlq replay": (RAW_INTERACTIONS, RAW_MESSAGES, RAW_WEBHOOKS, RAW_ANALYTICS, DEAD_LETTERS_SETTLED),
    "dlq discard": (DEAD_LETTERS_SETTLED,),
    "doctor": (EVENT_TIME,),  # a tombstone, to read the broker's clock
}


def _declarations() -> Mapping[str, Declaration]:
    """Return what the folders of `streams/stages` declare, in flow order: that of the topics they read."""
    order = {spec.name: at for at, spec in enumerate(TOPICS)}
    found = []
    for folder in sorted(Path(next(iter(stages.__path__))).iterdir()):
        if (folder / "declaration.py").is_file():
            declaration: Declaration = import_module(f"{stages.__name__}.{folder.name}.declaration").DECLARATION
            if declaration.reads.name not in order:
                raise LookupError(
                    f"{declaration.name} reads {declaration.reads.name}, which schemas/topics does not list"
                )
            found.append((order[declaration.reads.name], -len(declaration.writes), declaration))
    return {declaration.name: declaration for *_, declaration in sorted(found, key=lambda each: each[:2])}


DECLARATIONS: Mapping[str, Declaration] = _declarations()
STAGES: tuple[str, ...] = tuple(DECLARATIONS)


@cache
def topics() -> tuple[TopicSpec, ...]:
    """Return every topic, in flow order: those of records, each with the changelogs of its readers behind it.

    Topics whose partitions a worker shares out together (a stage's sources and its changelogs) have one `copartition`.
    """
    group: dict[str, str] = {}
    for declaration in DECLARATIONS.values():
        together = [spec.name for spec in (*declaration.sources, *declaration.changelogs)]
        joined = {group[name] for name in together if name in group}
        label = min(joined, default=declaration.name)
        group = {name: label if of in joined else of for name, of in group.items()} | dict.fromkeys(together, label)
    found = []
    for spec in TOPICS:
        behind = [log for each in DECLARATIONS.values() if each.reads is spec for log in each.changelogs]
        found += [replace(each, copartition=group.get(each.name)) for each in (spec, *behind)]
    return tuple(found)


def configured(specs: tuple[TopicSpec, ...]) -> tuple[TopicSpec, ...]:
    """Return topics as settings want them: those of the audit are kept for AUDIT_RETENTION_DAYS.

    Raises ConfigurationError.
    """
    from connectors.settings import load  # noqa: PLC0415 - help and completion need none of it
    from streams.stages.audit.settings import AuditSettings  # noqa: PLC0415

    audit = _names((DASHBOARD_AUDIT, DASHBOARD_AUDIT_HEADS))
    if not audit & _names(specs):
        return specs
    kept = load(AuditSettings).retention_days * DAY_MS
    return tuple(replace(spec, retention_ms=kept) if spec.name in audit else spec for spec in specs)


def writers(topic: str) -> tuple[str, ...]:
    """Return who writes to a topic, as on the command line: stages by their name, connectors as `connect <name>`."""
    connectors = [f"connect {name}" for name, specs in CONNECTORS.items() if topic in _names((*specs, DEAD_LETTERS))]
    stages_ = [
        each.name for each in DECLARATIONS.values() if topic in _names((*each.writes, *each.changelogs, DEAD_LETTERS))
    ]
    return (*connectors, *stages_, *(name for name, specs in COMMANDS.items() if topic in _names(specs)))


def readers(topic: str) -> tuple[str, ...]:
    """Return the stages that read a topic."""
    return tuple(
        each.name for each in DECLARATIONS.values() if topic in _names((*each.sources, *each.follows, *each.changelogs))
    )


def of_stage(stage: str) -> tuple[TopicSpec, ...]:
    """Return the topics that a stage needs: what it reads, writes and keeps, and the dead letters."""
    return tuple(spec for spec in topics() if stage in {*readers(spec.name), *writers(spec.name)})


@cache
def positions_of() -> Mapping[str, str | None]:
    """Return what source positions are of, for each topic whose records come from frames; None for raw topics.

    The records of retry tiers keep the positions that they had on their stage's source.
    """
    found = {spec.name: spec.positions_of for spec in TOPICS if spec.positions_of is not None}
    for each in DECLARATIONS.values():
        if each.reads.name in found:
            found |= {spec.name: found[each.reads.name] for spec in each.beside if spec in each.writes}
    return {**dict.fromkeys(set(found.values()) - found.keys()), **found}


def _names(specs: tuple[TopicSpec, ...]) -> set[str]:
    return {spec.name for spec in specs}


@cache
def settings_models() -> tuple[type["BaseSettings"], ...]:
    """Return every model of settings: of each `settings.py` in connectors and streams, in order of the files."""
    from pydantic_settings import BaseSettings  # noqa: PLC0415 - help and completion need none of it

    import connectors  # noqa: PLC0415

    found: dict[str, type[BaseSettings]] = {}
    for package in (Path(next(iter(connectors.__path__))), Path(__file__).parent):
        for path in sorted(package.rglob("settings.py"), key=lambda path: (len(path.parts), path)):
            name = ".".join(path.relative_to(package.parent).with_suffix("").parts)
            for each in vars(import_module(name)).values():
                if isinstance(each, type) and issubclass(each, BaseSettings) and each.__module__ == name:
                    found[f"{name}.{each.__name__}"] = each
    bases = {base for model in found.values() for base in model.__mro__[1:]}
    return tuple(model for model in found.values() if model not in bases)


def settings_of(stage: str) -> tuple[type["BaseSettings"], ...]:
    """Return the models that a stage loads: those that its `app.py` imports."""
    from pydantic_settings import BaseSettings  # noqa: PLC0415 - help and completion need none of it

    named = vars(import_module(f"streams.stages.{stage.replace('-', '_')}.app")).values()
    return tuple(each for each in named if isinstance(each, type) and issubclass(each, BaseSettings))


def build(stage: str) -> "App":
    """Make a stage's app from the environment: `streams.stages.<stage>.app.build`.

    Raises ConfigurationError, or UndeclaredError when the stage keeps or reads something else than it declares.
    """
    from streams.runtime.errors import UndeclaredError  # noqa: PLC0415 - help and completion need none of it

    declaration = DECLARATIONS[stage]
    app: App = import_module(f"streams.stages.{stage.replace('-', '_')}.app").build()
    kept, named = set(app.tables), {table.name for table in declaration.tables}
    if kept != named:
        raise UndeclaredError(
            f"{stage} keeps the tables {sorted(kept)} and declares {sorted(named)}: see declaration.py"
        )
    if not set(app.sources) <= _names(declaration.sources):
        raise UndeclaredError(f"{stage} reads {app.sources}, its declaration.py names {_names(declaration.sources)}")
    return app


def __getattr__(name: str) -> "App":
    """Make a stage's app when it is asked for by name."""
    stage = name.replace("_", "-")
    if stage not in STAGES:
        raise AttributeError(name)
    return build(stage)
