"""`cxone-streams worker`: run stages."""

from typing import Annotated

import typer

from streams.topology import STAGES


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

    from connectors.kafka import topic_admin
    from connectors.settings import KafkaSettings, check, load
    from streams import topology
    from streams.cli.ending import ended
    from streams.programs.lifecycle import log_to_stderr
    from streams.programs.worker import run
    from streams.runtime.settings import WorkerSettings

    with ended():
        log_to_stderr()
        check({model for stage in wanted for model in topology.settings_of(stage)})  # before Kafka is asked
        kafka, settings = load(KafkaSettings), load(WorkerSettings)
        needed = {spec.name: spec for stage in wanted for spec in topology.of_stage(stage)}
        topic_admin.ensure_topics(kafka, topology.configured(tuple(needed.values())))

        async def main() -> int:
            return await run([topology.build(stage) for stage in wanted], settings)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(main())
    raise typer.Exit(code)
