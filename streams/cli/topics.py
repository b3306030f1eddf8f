"""`cxone-streams topics create|check`: the topics of this system on the broker."""

import json as jsonlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from connectors.kafka.topic_admin import TopicAdmin
    from connectors.settings import KafkaSettings

app = typer.Typer(help="Create the topics on Kafka, or compare them with what is declared.", no_args_is_help=True)

Partitions = Annotated[
    int | None, typer.Option(min=1, help="Partitions of every topic, instead of the declared number.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def create(*, partitions: Partitions = None, json: Json = False) -> None:
    """Create the topics that are missing; those that are there stay as they are.

    A topic that must match one that is there takes its number of partitions.
    """
    from streams import topology
    from streams.cli.ending import ended

    with ended():
        admin, settings = _admin()
        created = admin.create(topology.topics(), partitions=partitions, replication_factor=settings.replication_factor)
    if json:
        typer.echo(jsonlib.dumps({"created": created}))
        return
    for spec in topology.topics():
        typer.echo(f"{'created' if spec.name in created else 'exists ':7}  {spec.name}")


@app.command()
def check(*, partitions: Partitions = None, json: Json = False) -> None:
    """Compare the topics with what is declared.

    Exit status 1 when something differs, or Kafka does not answer; 2 when a setting is wrong.
    """
    from connectors.kafka.topic_admin import copartition_mismatches
    from streams import topology
    from streams.cli.ending import ended

    with ended():
        admin, _ = _admin()
        drift = admin.drift(topology.topics(), partitions=partitions)
        mismatches = copartition_mismatches(topology.topics(), admin.partitions())
    if json:
        typer.echo(jsonlib.dumps({"drift": [asdict(one) for one in drift], "copartition": mismatches}))
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table("topic", "state", "should be")
        for spec in topology.topics():
            of_topic = [one for one in drift if one.topic == spec.name]
            for one in of_topic:
                table.add_row(spec.name, f"{one.what}: {one.actual}", one.expected, style="red")
            if not of_topic:
                table.add_row(spec.name, "as declared", "", style="green")
        Console().print(table)
        for mismatch in mismatches:
            typer.echo(mismatch, err=True)
    if drift or mismatches:
        raise typer.Exit(1)


def _admin() -> "tuple[TopicAdmin, KafkaSettings]":
    from connectors.kafka.topic_admin import TopicAdmin
    from connectors.settings import KafkaSettings, load

    settings = load(KafkaSettings)
    return TopicAdmin(settings.librdkafka()), settings
