"""How far event time has come, read from outside."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from connectors.kafka.schema_ids import schema_ids
from connectors.kafka.topic_reader import Start, TopicReader
from connectors.settings import KafkaSettings, RegistrySettings, load
from schemas.avro import Codec, DecodeError
from schemas.records import EventTimeProgress
from schemas.topics import EVENT_TIME


def watermarks(settings: KafkaSettings) -> Mapping[str, int]:
    """Return the watermark of each raw topic of which all partitions were heard of, in ms since the epoch.

    Raises ConnectorError.
    """
    decode = Codec(schema_ids(load(RegistrySettings))).decoder(EventTimeProgress)
    reader = TopicReader(settings.librdkafka())
    told = []
    try:
        for found in reader.read(EVENT_TIME.name, Start()):
            try:
                told.append(decode(found.value or b""))
            except DecodeError:
                continue
    finally:
        reader.close()
    return reached(told)


def reached(told: Iterable[EventTimeProgress]) -> Mapping[str, int]:
    """Return what every partition of each raw topic has passed, from what was told of them, oldest first."""
    latest: defaultdict[str, dict[int, EventTimeProgress]] = defaultdict(dict)
    for progress in told:
        latest[progress.topic][progress.partition] = progress
    return {
        topic: min(each.passed for each in partitions.values())
        for topic, partitions in latest.items()
        if len(partitions) == max(each.partitions for each in partitions.values())
    }
