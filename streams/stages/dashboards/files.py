"""The text of a file -> a document that is right, or everything that is wrong with it. Pure.

A document is what the file says with defaults filled in, as plain values; its expressions, such as `-7d`, stay as they
are: `compiled` makes what CXone gets.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from streams.stages.dashboards import rules, yaml_source
from streams.stages.dashboards.json_text import dumps
from streams.stages.dashboards.model import Dashboard
from streams.stages.dashboards.yaml_source import Path, Problem, Source

Document = dict[str, Any]

LONGEST_DOCUMENT = 300_000  # bytes of JSON

_LOOKS: dict[str | int, str] = {
    "id": "an id: letters, digits, - _ and .",
    "range": "a time before now: -7d, -12h, -30m",
    "attribute": "the name of an attribute",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """One file. `document` is None when there are `problems`; `warnings` are none."""

    file: str
    document: Document | None
    problems: Sequence[Problem] = ()
    warnings: Sequence[Problem] = field(default=())


def check(text: str, file: str, now: float) -> Checked:
    """Read and validate a file's text. `now` in seconds since the epoch: ranges may not end far ahead."""
    source = yaml_source.read(text, file)
    if source.value is None and source.problems:
        return Checked(file, None, source.problems)
    told = {problem.path for problem in source.problems}
    found = Source(file, places=source.places)
    document: Document | None = None
    try:
        dashboard = Dashboard.model_validate(source.value)
    except ValidationError as refused:
        for detail in refused.errors(include_url=False):
            found.problem(*_explained(source, detail))
    else:
        document = dashboard.model_dump(by_alias=True, exclude_none=True)
    for path, words in rules.broken(source.value, now):
        found.problem(path, words)
    # A value that could not be read is told of once.
    problems = source.problems + [each for each in found.problems if each.path not in told]
    if document is not None and len(dumps(document)) > LONGEST_DOCUMENT:
        problems = [
            *problems,
            Problem(file, 1, 1, "", f"is more than {LONGEST_DOCUMENT:,} bytes, with aliases written out"),
        ]
    if problems or document is None:
        return Checked(file, None, sorted(set(problems)))
    warned = Source(file, places=source.places)
    for path, words in rules.warnings(document):
        warned.problem(path, words)
    return Checked(file, document, (), sorted(warned.problems))


def repeated(checked: Iterable[Checked]) -> list[Problem]:
    """Return which files have the id of another."""
    first: dict[str, str] = {}
    problems = []
    for each in checked:
        if each.document is None:
            continue
        identifier = each.document["id"]
        if identifier in first:
            problems.append(Problem(each.file, 1, 1, "id", f"`{identifier}` is the id of {first[identifier]}, too"))
        first.setdefault(identifier, each.file)
    return problems


def _explained(source: Source, detail: ErrorDetails) -> tuple[Path, str]:
    path = detail["loc"]
    kind = detail["type"]
    if kind == "extra_forbidden":
        siblings = _names(path[:-1])
        guess = get_close_matches(str(path[-1]), siblings, n=1)
        return path, f"is not known. Did you mean {guess[0]}?" if guess else f"is not known: {', '.join(siblings)} are"
    if kind == "missing":
        return path, "is missing"
    path = _known(source.value, path)
    if kind == "value_error":
        return path, detail["msg"].removeprefix("Value error, ")
    if kind in {"too_short", "too_long"}:
        least, most = (detail["ctx"].get(name) for name in ("min_length", "max_length"))
        bound = f"at least {least}" if most is None else f"at most {most}"
        return path, f"has {len(detail['input'])} items: {bound}"
    if kind == "string_pattern_mismatch":
        return path, f"`{detail['input']}` does not look like {_LOOKS.get(path[-1], detail['ctx']['pattern'])}"
    given = detail["input"]
    words = detail["msg"].replace("Input should", "should").replace("Field required", "is missing")
    shown = f" (it is {given!r})" if isinstance(given, str | int | float) and len(str(given)) < 100 else ""  # noqa: PLR2004
    return path, words[0].lower() + words[1:] + shown


def _known(value: Any, path: Path) -> Path:
    """Return the part of a path that is in the file: pydantic adds the names of alternatives."""
    found: list[str | int] = []
    for part in path:
        if isinstance(value, Mapping) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            break
        found.append(part)
    return tuple(found)


def _names(path: Path) -> list[str]:
    """Return the fields of the object at `path`, by the types of the model."""
    model: type[BaseModel] = Dashboard
    for part in path:
        if isinstance(part, str):
            info = next(info for info in model.model_fields.values() if info.alias == part)
            model = _model_in(info.annotation) or model
    return [str(info.alias) for info in model.model_fields.values()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)
