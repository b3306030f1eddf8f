"""A YAML file -> plain values, and where each of them stands. Pure.

Stricter than YAML 1.1: a scalar that a person and a parser read differently (`on`, `12:30`, `0777`) is refused, as are
names that repeat, tags, merge keys, and aliases that stand for more than `MOST_VALUES` values.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

LONGEST = 262_144  # characters
MOST_VALUES = 5_000  # with aliases written out
DEEPEST = 24

Place = tuple[int, int]  # line and column, from 1
Path = tuple[str | int, ...]

_STRING, _PREFIX = "tag:yaml.org,2002:str", "tag:yaml.org,2002:"
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].*)?", re.ASCII)
_LIKE_A_NUMBER = re.compile(r"[-+]?(\.?[0-9][0-9_,]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|0[xXoObB][0-9a-fA-F_]+)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong in a file, and where. `path` is as a person writes it: widgets[2].query.range."""

    file: str
    line: int
    column: int
    path: str
    words: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.path}: {self.words}" if self.path else f"{where}: {self.words}"


@dataclass(slots=True)
class Source:
    """What a file holds. `places` has each value's, by its path."""

    file: str
    value: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, path: Path, words: str) -> None:
        """Note a problem at `path`, or where the file knows the nearest place around it."""
        known = path
        while known and known not in self.places:
            known = known[:-1]
        line, column = self.places.get(known, (1, 1))
        self.problems.append(Problem(self.file, line, column, shown(path), words))


def shown(path: Path) -> str:
    """Write a path as a person does."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def read(text: str, file: str) -> Source:
    """Read a file's text. Whatever it is, what is wrong stands in `problems`."""
    source = Source(file)
    if len(text) > LONGEST:
        source.problem((), f"is longer than {LONGEST:,} characters")
        return source
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        words = " ".join(part for part in (error.context, error.problem) if part)
        source.problems.append(Problem(file, *place, "", f"is no YAML: {words}"))
    except yaml.YAMLError as error:
        source.problem((), f"is no YAML: {' '.join(str(error).split())}")
    except (RecursionError, ValueError, OverflowError):  # the last two: a \U that is no character
        source.problem((), "is no YAML: it is nested too deep, or has a character that does not exist")
    else:
        if node is None:
            source.problem((), "is empty")
        else:
            source.value = _Reader(source).value(node, (), ())
    return source


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source, self._left = source, MOST_VALUES

    def value(self, node: yaml.Node, path: Path, inside: tuple[int, ...]) -> Any:  # noqa: PLR0911 - refusals first
        source = self._source
        source.places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        self._left -= 1
        if self._left < 0:
            if self._left == -1:
                source.problem(path, f"is too much: more than {MOST_VALUES:,} values, with aliases written out")
            return None
        if id(node) in inside:
            source.problem(path, "is an alias of what it stands in")
            return None
        if len(inside) >= DEEPEST:
            source.problem(path, f"is nested deeper than {DEEPEST} levels")
            return None
        inside = (*inside, id(node))
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_PREFIX}map":
            return self._mapping(node, path, inside)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_PREFIX}seq":
            return [self.value(item, (*path, number), inside) for number, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        source.problem(path, f"has the tag {node.tag.replace(_PREFIX, '!!')}: tags are not read")
        return None

    def _mapping(self, node: yaml.MappingNode, path: Path, inside: tuple[int, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key, item in node.value:
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            words = None
            if not isinstance(key, yaml.ScalarNode) or key.tag != _STRING:
                what = f"`{key.value}`" if isinstance(key, yaml.ScalarNode) else "a list or an object"
                words = f"{what} is no name: put it in quotes if it is one"
            elif key.value in found:
                words = f"`{key.value}` is there already, in line {first[key.value]}"
            if words is not None:
                self._source.problems.append(Problem(self._source.file, line, column, shown(path), words))
                continue
            first[key.value] = line
            found[key.value] = self.value(item, (*path, key.value), inside)
            self._source.places[(*path, key.value)] = (line, column)
        return found

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:  # noqa: PLR0911 - a case a kind
        text, tag = node.value, node.tag
        if tag == _STRING:
            if node.style is None and _LIKE_A_NUMBER.fullmatch(text):
                return self._surprise(text, path, "is a number to some readers and a text to others")
            return text
        kind = tag.removeprefix(_PREFIX)
        if node.style is not None or kind not in {"bool", "int", "float", "null", "timestamp"}:
            self._source.problem(path, f"has the tag {tag.replace(_PREFIX, '!!')}: tags are not read")
            return None
        if kind == "bool" and text in {"true", "false"}:
            return text == "true"
        if kind == "int" and _INTEGER.fullmatch(text):
            return int(text)
        if kind == "float" and _DECIMAL.fullmatch(text):
            return float(text)
        if kind == "timestamp" and _DATE.fullmatch(text):
            return text
        if kind == "null":
            self._source.problem(path, "has no value")
            return None
        reads = {"bool": "true or false", "int": "a number", "float": "a number"}.get(kind, kind)
        return self._surprise(text, path, f"is read as {reads}")

    def _surprise(self, text: str, path: Path, words: str) -> None:
        self._source.problem(path, f'`{text}` {words}: write it plainly, or in quotes as "{text}"')
