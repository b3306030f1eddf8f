"""`cxone-streams doctor`: what is wrong, and what to do."""

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

MARKS = {"green": ("✓", typer.colors.GREEN), "yellow": ("!", typer.colors.YELLOW), "red": ("✗", typer.colors.RED)}


def doctor(
    *,
    sample: Annotated[
        list[str] | None, typer.Option(help="Read a file with a frame of your tenant's: interactions=frame.json.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody: settings, dialect and files alone.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Look at everything that this system needs, side by side, and say what to do about what is wrong.

    A line for each check: ✓ well, ! worth knowing (such as settings of stages that do not run here), ✗ wrong. Within 15
    seconds, whatever is away. To read the broker's clock it writes a tombstone that no reader looks at. Exit status 1
    when something is wrong.
    """
    import asyncio
    from dataclasses import asdict

    from connectors import logs
    from connectors.settings import secrets
    from streams.cli.ending import ended
    from streams.cli.records import escaped
    from streams.programs.doctor import here, others, samples
    from streams.programs.doctor.findings import Colour, findings
    from streams.topology import settings_models

    given = dict(map(_sample, sample or []))
    if unknown := given.keys() - samples.USUAL.keys():
        raise typer.BadParameter(f"no source: {', '.join(sorted(unknown))}. Sources: {', '.join(samples.USUAL)}")
    with ended():
        logs.configure(level="error", secrets=secrets(settings_models()))  # what matters is in the findings
    checks = [*here.checks(), *samples.checks(given), *([] if offline else others.checks())]
    found = asyncio.run(findings(checks))
    if json:
        typer.echo(jsonlib.dumps([asdict(each) for each in found]))
    else:
        for each in found:
            mark, colour = MARKS[each.colour]
            does = f" -> {each.do}" if each.do else ""
            typer.secho(escaped(f"{mark} {each.check}: {each.said}{does}"), fg=colour)
    if any(each.colour is Colour.RED for each in found):
        raise typer.Exit(1)


def _sample(text: str) -> tuple[str, Path]:
    source, equals, path = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} names no source and file: interactions=frame.json")
    return source, Path(path)
