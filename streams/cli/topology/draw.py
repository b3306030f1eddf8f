"""A graph as text, Mermaid, SVG and JSON."""

import re
from collections.abc import Iterable
from dataclasses import asdict
from xml.sax.saxutils import escape

import orjson

from streams.cli.topology.graph import Edge, Graph, Kind, Node

# Pixels
CHARACTER, HEIGHT, ROW, GAP, MARGIN = 7.0, 26, 40, 70, 20
COLOURS = {
    Kind.CONNECTOR: "#cfe8ff",
    Kind.COMMAND: "#e4dcff",
    Kind.TOPIC: "#f2f2f2",
    Kind.STAGE: "#d6f5d6",
    Kind.SYSTEM: "#ffe6bf",
}
_SHAPES = {
    Kind.CONNECTOR: ('(["', '"])'),
    Kind.COMMAND: ('>"', '"]'),
    Kind.TOPIC: ('["', '"]'),
    Kind.STAGE: ('("', '")'),
    Kind.SYSTEM: ('{{"', '"}}'),
}
_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" font-family="monospace" \
font-size="{size:.0f}">
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
<path d="M0 0L8 4L0 8z" fill="#777"/></marker></defs>
<rect width="100%" height="100%" fill="#fff"/>"""


def as_text(graph: Graph) -> str:
    """Return a line for each way into, through and out of a stage."""
    ways_in = [node.name for node in graph.nodes if node.kind in {Kind.CONNECTOR, Kind.COMMAND}]
    stages = [node for node in graph.nodes if node.kind is Kind.STAGE]
    through = [node.name for node in sorted(stages, key=lambda node: node.layer)]
    return "\n".join(
        [
            *(f"{name} -> {_names(graph, name, out=True)}" for name in ways_in),
            *(f"{_names(graph, name, out=False)} -> [{name}] -> {_names(graph, name, out=True)}" for name in through),
        ]
    )


def _names(graph: Graph, name: str, *, out: bool) -> str:
    found = [edge.target for edge in graph.edges if out and edge.source == name]
    found += [edge.source for edge in graph.edges if not out and edge.target == name]
    return ", ".join(found) or "nothing but dead letters"


def as_json(graph: Graph) -> str:
    """Return an object with `nodes` and `edges`."""
    return orjson.dumps(asdict(graph)).decode()


def as_mermaid(graph: Graph) -> str:
    """Return a flowchart for a fenced block of Markdown."""
    lines = ["flowchart LR"]
    for node in graph.nodes:
        begin, end = _SHAPES[node.kind]
        lines.append(f"  {_id(node.name)}{begin}{node.name}{end}:::{node.kind}")
    lines += [f"  {_id(edge.source)} {'-.->' if edge.back else '-->'} {_id(edge.target)}" for edge in graph.edges]
    lines += [f"  classDef {kind} fill:{colour},stroke:#555" for kind, colour in COLOURS.items()]
    return "\n".join(lines)


def _id(name: str) -> str:
    return re.sub(r"\W", "_", name)


def as_svg(graph: Graph) -> str:
    """Return a picture: layers from left to right, what belongs together near each other."""
    columns = _columns(graph)
    widths = [max(len(node.name) for node in column) * CHARACTER + 20 for column in columns]
    lefts = [MARGIN + sum(widths[:at]) + GAP * at for at in range(len(columns))]
    rows = _rows(graph, columns)
    height = (max(rows.values()) + 1) * ROW + 2 * MARGIN
    box = {node.name: (lefts[node.layer], MARGIN + rows[node.name] * ROW, widths[node.layer]) for node in graph.nodes}
    width, size = lefts[-1] + widths[-1] + MARGIN, CHARACTER / 0.6  # a monospaced character is 0.6 as wide as high
    lines = [_line(edge, box[edge.source], box[edge.target]) for edge in graph.edges]
    boxes = [_box(node, *box[node.name]) for node in graph.nodes]
    return "\n".join([_HEAD.format(width=width, height=height, size=size), *lines, *boxes, "</svg>"])


def _columns(graph: Graph) -> list[list[Node]]:
    last = max(node.layer for node in graph.nodes)
    return [[node for node in graph.nodes if node.layer == layer] for layer in range(last + 1)]


def _rows(graph: Graph, columns: Iterable[list[Node]]) -> dict[str, float]:
    """Return a row for each node: near the mean of what leads to it, and below whatever is above it in its layer."""
    before: dict[str, list[str]] = {}
    for edge in graph.edges:
        if not edge.back:
            before.setdefault(edge.target, []).append(edge.source)
    rows: dict[str, float] = {}
    for column in columns:
        wanted = {
            node.name: sum(rows[name] for name in before[node.name]) / len(before[node.name])
            if node.name in before
            else float(at * 2)
            for at, node in enumerate(column)
        }
        free = 0.0
        for name in sorted(wanted, key=lambda name: wanted[name]):
            rows[name] = max(free, wanted[name])
            free = rows[name] + 1
    return rows


def _box(node: Node, x: float, y: float, width: float) -> str:
    rounded = 0 if node.kind is Kind.TOPIC else 8
    return (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{HEIGHT}" rx="{rounded}" '
        f'fill="{COLOURS[node.kind]}" stroke="#555"/>'
        f'<text x="{x + width / 2:.0f}" y="{y + HEIGHT / 2 + 4:.0f}" text-anchor="middle">{escape(node.name)}</text>'
    )


def _line(edge: Edge, source: tuple[float, float, float], target: tuple[float, float, float]) -> str:
    (x, y, width), (to_x, to_y, to_width) = source, target
    begin, y, to_y = x + width, y + HEIGHT / 2, to_y + HEIGHT / 2
    if edge.back:  # around the right side
        end, y, to_y = to_x + to_width, y + HEIGHT / 4, to_y + HEIGHT / 4
        out = into = max(begin, end) + GAP * 0.6
    else:
        end = to_x
        out = into = (begin + end) / 2
    dashes = ' stroke-dasharray="4 3"' if edge.back else ""
    return (
        f'<path d="M{begin:.0f} {y:.0f}C{out:.0f} {y:.0f},{into:.0f} {to_y:.0f},{end:.0f} {to_y:.0f}" fill="none" '
        f'stroke="#777" marker-end="url(#tip)"{dashes}/>'
    )
