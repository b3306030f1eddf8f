"""`cxone-streams worker`: run stages."""

from typing import TYPE_CHECKING, Annotated

import typer

from streams.topology import STAGES

if TYPE_CHECKING:
    from pydantic import SecretStr


def worker(
    stages: Annotated[list[str], typer.Argument(help=f"Stages to run: {', '.join(STAGES)}, or all.", metavar="STAGE")],
) -> None:
    """Run one or several stages until SIGTERM (exit 0, drained) or a crash (exit 1); 2 is a wrong setting or topic.

    Start up to as many workers of a stage as its topic has partitions: each takes a share, and more would be idle.
    Prints a line of JSON when its partitions are assigned and recovered.

    Settings come from the environment or .env: see .env.example.
    """
    wanted = STAGES if "all" in stages else tuple(dict.fromkeys(stages))
    if unknown := set(wanted) - set(STAGES):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: no such stage. Choose from {', '.join(STAGES)}, all.")

    import asyncio

    import uvloop

    from connectors import logs, topic_admin
    from connectors.errors import ConfigurationError, ConnectorError
    from connectors.settings import KafkaSettings, LogSettings, load
    from schemas.topics import TOPICS
    from streams import topology
    from streams.settings import WorkerSettings
    from streams.worker import run

    try:
        logs.configure(level=load(LogSettings).level, secrets=secrets())
        kafka, settings = load(KafkaSettings), load(WorkerSettings)
        topic_admin.ensure_topics(kafka, [spec for spec in TOPICS if set(wanted) & {*spec.readers, *spec.writers}])

        async def main() -> int:
            return await run([topology.build(stage) for stage in wanted], settings)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(main())
    except ConfigurationError as wrong:
        typer.echo(str(wrong), err=True)
        raise typer.Exit(2) from None
    except ConnectorError as failure:
        typer.echo(str(failure), err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(code)


def secrets() -> "list[SecretStr]":
    """Return those of all settings that are complete: a stage whose own are not does not start."""
    from contextlib import suppress

    from pydantic import SecretStr

    from connectors.errors import ConfigurationError
    from connectors.settings import MODELS, load

    found: list[SecretStr] = []
    for model in MODELS:
        with suppress(ConfigurationError):
            found += (value for _, value in load(model) if isinstance(value, SecretStr))
    return found
