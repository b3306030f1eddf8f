"""`cxone-streams tail`: a topic as records come."""

from typing import Annotated

import typer

from streams.cli.topics import Filters, Json, Limit


def tail(
    topic: Annotated[str, typer.Argument(help="Name of the topic.")],
    *,
    since: Annotated[
        str, typer.Option("--from", help="end, beginning, an offset, an age (10m, 2h, 1d) or a time.")
    ] = "end",
    filters: Filters = None,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Print records of a topic as they come, until Ctrl-C; Avro is decoded. Lines are those of `topics read`.

    Joins no consumer group and commits nothing. An outage of Kafka is waited out.
    """
    from streams.cli.reading import print_records

    print_records(topic, since, wanted=filters or [], limit=limit, json=json, follow=True)
