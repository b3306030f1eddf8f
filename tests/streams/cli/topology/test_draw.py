"""The picture of the topology, from its declarations."""

import json
import re
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from schemas.topics import TOPICS
from streams import topology
from streams.cli import app
from streams.cli.topology.draw import as_svg
from streams.cli.topology.graph import graph, joined

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["topology", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("form", ["text", "mermaid", "svg", "json"])
def test_every_form_names_each_stage_and_connector_and_the_topics(form: str) -> None:
    text = drawn("--format", form, "--all")

    connectors = [f"connect {name}" for name in topology.CONNECTORS]
    for name in (*topology.STAGES, *connectors, *(joined(spec.name) for spec in TOPICS)):
        assert name in text, name


def test_without_all_it_leaves_out_what_every_stage_has() -> None:
    text = drawn()

    assert "changelog" not in text
    assert "dead-letters" not in text


def test_edges_lead_to_the_right_unless_they_close_a_circle() -> None:
    found = graph(everything=True)
    layer = {node.name: node.layer for node in found.nodes}

    assert all(layer[edge.source] < layer[edge.target] for edge in found.edges if not edge.back)
    back = {(edge.source, edge.target) for edge in found.edges if edge.back}
    assert ("cxone.routing.retry.*", "routing") in back
    assert ("cxone.guest.admitted", "routing") not in back


@pytest.mark.parametrize("everything", [False, True])
def test_no_box_of_the_picture_lies_on_another(everything: bool) -> None:
    picture = ET.fromstring(as_svg(graph(everything=everything)))
    width, height = float(picture.get("width", 0)), float(picture.get("height", 0))
    boxes = [
        tuple(float(box.get(name, 0)) for name in ("x", "y", "width", "height"))
        for box in picture.iter(f"{SVG}rect")
        if box.get("stroke")
    ]

    assert len(boxes) == len(graph(everything=everything).nodes)
    for at, (x, y, wide, high) in enumerate(boxes):
        assert x + wide <= width
        assert y + high <= height
        for other_x, other_y, other_wide, other_high in boxes[:at]:
            apart = x >= other_x + other_wide or other_x >= x + wide or y >= other_y + other_high or other_y >= y + high
            assert apart


def test_mermaid_declares_every_node_that_an_arrow_names() -> None:
    lines = drawn("--format", "mermaid").splitlines()
    declared = {match[1] for line in lines if (match := re.match(r"  (\w+)[\[(>{]", line))}
    arrows = [re.split(r" -->| -\.->", line) for line in lines if "->" in line]

    assert lines[0] == "flowchart LR"
    assert {end.strip() for arrow in arrows for end in arrow} == declared


def test_programs_get_nodes_and_edges() -> None:
    found = json.loads(drawn("--format", "json"))

    assert {"name": "crm", "kind": "stage"}.items() <= next(n for n in found["nodes"] if n["name"] == "crm").items()
    assert {"source": "crm", "target": "the CRM", "back": False} in found["edges"]
