"""The declarations as a graph."""

import re
from dataclasses import dataclass
from enum import StrEnum

from schemas.topics import DEAD_LETTERS, DEAD_LETTERS_SETTLED
from streams import topology

OF_OPERATORS = ("dlq ", "doctor")  # no part of the flow
_NUMBERED = re.compile(r"\.\d+$")


class Kind(StrEnum):
    CONNECTOR = "connector"
    COMMAND = "command"
    TOPIC = "topic"
    STAGE = "stage"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Node:
    """What is drawn. `layer` is how far it is from where events come in; all edges but `back` lead to a higher one."""

    name: str
    kind: Kind
    layer: int


@dataclass(frozen=True, slots=True)
class Edge:
    """Records go from one node to the other; `back` to one that is not behind it."""

    source: str
    target: str
    back: bool


@dataclass(frozen=True, slots=True)
class Graph:
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def graph(*, everything: bool) -> Graph:
    """Return the graph of all declarations; with `everything` changelogs and dead letters, too.

    Topics that differ by a number alone, such as retry tiers, are one node.
    """
    hidden = {DEAD_LETTERS.name, DEAD_LETTERS_SETTLED.name}
    specs = [
        spec
        for spec in topology.topics()
        if everything or not (spec.name in hidden or spec.name.endswith("-changelog"))
    ]
    edges: dict[tuple[str, str], None] = {}
    for spec in specs:
        for writer in topology.writers(spec.name):
            if everything or not writer.startswith(OF_OPERATORS):
                edges[writer, joined(spec.name)] = None
        for reader in topology.readers(spec.name):
            edges[joined(spec.name), reader] = None
    for each in topology.DECLARATIONS.values():
        if each.into:
            edges[each.name, each.into] = None
    layers = _layers(list(edges))
    nodes = [Node(name, _kind(name), layer) for name, layer in layers.items()]
    return Graph(
        tuple(nodes), tuple(Edge(source, target, layers[source] >= layers[target]) for source, target in edges)
    )


def joined(topic: str) -> str:
    """Return the name under which topics stand that differ by a number alone."""
    return _NUMBERED.sub(".*", topic)


def _kind(name: str) -> Kind:
    if name in topology.STAGES:
        return Kind.STAGE
    if name.startswith("connect "):
        return Kind.CONNECTOR
    if name in topology.COMMANDS:
        return Kind.COMMAND
    return Kind.TOPIC if name in {joined(spec.name) for spec in topology.topics()} else Kind.SYSTEM


def _layers(edges: list[tuple[str, str]]) -> dict[str, int]:
    """Return how far each node is from one that nothing leads to, edges back into a circle left out."""
    following: dict[str, list[str]] = {}
    for source, target in edges:
        following.setdefault(source, []).append(target)
        following.setdefault(target, [])
    layers = dict.fromkeys(following, 0)
    forward, open_, done = [], set[str](), set[str]()

    def visit(name: str) -> None:
        open_.add(name)
        for target in following[name]:
            if target in open_:
                continue  # it closes a circle
            forward.append((name, target))
            if target not in done:
                visit(target)
        open_.discard(name)
        done.add(name)

    for name in following:
        if name not in done:
            visit(name)
    for _ in layers:  # as long as the longest way
        for source, target in forward:
            layers[target] = max(layers[target], layers[source] + 1)
    return layers
