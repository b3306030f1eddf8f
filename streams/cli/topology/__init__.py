"""`cxone-streams topology`: who writes and reads what, drawn from the declarations."""

from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"
    JSON = "json"


def topology(
    *,
    form: Annotated[Format, typer.Option("--format", help="How to draw it.")] = Format.TEXT,
    everything: Annotated[
        bool, typer.Option("--all", help="Changelogs and dead letters, too, which every stage has.")
    ] = False,
) -> None:
    """Draw the graph of connectors, topics, stages and what they write into.

    Text for a terminal, Mermaid for a page of Markdown, SVG for a browser: `cxone-streams topology --format svg >
    topology.svg`. Asks no broker: it is what the code declares.
    """
    from streams.cli.topology.draw import as_json, as_mermaid, as_svg, as_text
    from streams.cli.topology.graph import graph

    draw = {Format.TEXT: as_text, Format.MERMAID: as_mermaid, Format.SVG: as_svg, Format.JSON: as_json}[form]
    typer.echo(draw(graph(everything=everything)))
