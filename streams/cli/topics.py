"""`cxone-streams topics create|check|read`: the topics of this system on the broker."""

import json as jsonlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from connectors.kafka.topic_admin import TopicAdmin
    from connectors.settings import KafkaSettings

app = typer.Typer(
    help="Create the topics on Kafka, compare them with what is declared, and read what is in them.",
    no_args_is_help=True,
)

Partitions = Annotated[
    int | None, typer.Option(min=1, help="Partitions of every topic, instead of the declared number.")
]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter", metavar="PATH=TEXT", help="Only records with this: key=…, type=…, value.queue_id=…, headers.NAME=…"
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Stop after so many records.")]
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
        wanted = topology.configured(topology.topics())
        created = admin.create(wanted, partitions=partitions, replication_factor=settings.replication_factor)
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
        drift = admin.drift(topology.configured(topology.topics()), partitions=partitions)
        mismatches = copartition_mismatches(topology.topics(), admin.partitions())
    if json:
        found = [asdict(one) | {"loses_data": one.loses_data, "advice": one.advice} for one in drift]
        typer.echo(jsonlib.dumps({"drift": found, "copartition": mismatches}))
    else:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        from connectors.redaction import escaped

        table = Table("topic", "state", "should be")
        for spec in topology.topics():
            of_topic = [one for one in drift if one.topic == spec.name]
            for one in of_topic:
                table.add_row(spec.name, Text(escaped(f"{one.what}: {one.actual}")), one.expected, style="red")
            if not of_topic:
                table.add_row(spec.name, "as declared", "", style="green")
        Console().print(table)
        for one in drift:
            lost = " (Kafka deletes what is needed!)" if one.loses_data else ""
            typer.echo(escaped(f"{one}{lost}: {one.advice}"), err=True)
        for mismatch in mismatches:
            typer.echo(mismatch, err=True)
    if drift or mismatches:
        raise typer.Exit(1)


@app.command()
def read(
    topic: Annotated[str, typer.Argument(help="Name of the topic.")],
    *,
    since: Annotated[
        str,
        typer.Option(
            "--from", help="beginning, end, an offset, an age (10m, 2h, 1d) or a time (2026-01-30T12:00:00Z)."
        ),
    ] = "beginning",
    filters: Filters = None,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Print what is in a topic, from --from to its end as it is now; Avro is decoded.

    A line a record: partition, offset, time, key, value. With --json each line is an object with the headers, too, and
    bytes that are no text stand in it as base64.

    Joins no consumer group and commits nothing. Exit status 1 when Kafka does not
    answer, 2 when there is no such topic.
    """
    from streams.cli.reading import print_records

    print_records(topic, since, wanted=filters or [], limit=limit, json=json, follow=False)


def _admin() -> "tuple[TopicAdmin, KafkaSettings]":
    from connectors.kafka.topic_admin import TopicAdmin
    from connectors.settings import KafkaSettings, load

    settings = load(KafkaSettings)
    return TopicAdmin(settings.librdkafka()), settings
