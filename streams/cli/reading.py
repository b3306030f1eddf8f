"""Records of a topic on the terminal: what `topics read` and `tail` have in common."""

from collections.abc import Sequence
from itertools import islice

import typer


def print_records(  # noqa: PLR0913 - options of a command
    topic: str, since: str, *, wanted: Sequence[str], limit: int | None, json: bool, follow: bool
) -> None:
    """Print records from `since` on, to the end of the topic or, to follow it, until Ctrl-C or `limit` of them."""
    import time

    from connectors.kafka.schema_ids import schema_ids
    from connectors.kafka.topic_reader import TopicReader, start
    from connectors.settings import KafkaSettings, RegistrySettings, load
    from schemas.avro import Codec
    from streams.cli.ending import ended
    from streams.cli.records import as_json, as_line, as_object, matches

    texts = dict(map(_filter, wanted))
    with ended():
        begin = start(since, now=time.time())
        reader = TopicReader(load(KafkaSettings).librdkafka())
        decode = Codec(schema_ids(load(RegistrySettings))).reader()
        show = as_json if json else as_line
        records = reader.follow(topic, begin) if follow else reader.read(topic, begin, limit=None if texts else limit)
        chosen = (found for found in records if not texts or matches(texts, as_object(found, decode)))
        try:
            for found in islice(chosen, limit):
                typer.echo(show(found, decode))
        except KeyboardInterrupt:
            pass
        finally:
            reader.close()


def _filter(text: str) -> tuple[str, str]:
    path, equals, wanted = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is no filter: key=c-1, value.queue_id=sales, headers.cxone-dead-stage=crm")
    return path, wanted
