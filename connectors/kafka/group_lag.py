"""Consumer groups from outside: who owns which partition, and how far each is behind."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from connectors.errors import ConnectorError

TIMEOUT = 15.0  # seconds for each answer of the broker


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One partition as a group has it.

    `committed` is None where nothing was committed, and all of the partition is still to be read. `owner` names the
    member that reads it; None when nobody does.
    """

    topic: str
    partition: int
    committed: int | None
    begin: int
    end: int
    owner: str | None

    @property
    def lag(self) -> int:
        return max(0, self.end - (self.begin if self.committed is None else max(self.committed, self.begin)))


class GroupLag:
    """Asks the broker; the right to describe groups and topics is enough. `config` is librdkafka's. Blocking."""

    def __init__(self, config: Mapping[str, object]) -> None:
        self._bootstrap = config["bootstrap.servers"]
        self._admin: Any = AdminClient({"log_level": 0, **config})

    def lags(self, groups: Mapping[str, Collection[str]]) -> dict[str, list[PartitionLag]]:
        """Return the partitions of each group's topics, {group: topics}; topics that are not there have none.

        Raises ConnectorError when Kafka does not answer.
        """
        try:
            listed = self._admin.list_topics(timeout=TIMEOUT).topics
            named = {topic for topics in groups.values() for topic in topics if topic in listed}
            places = {(topic, partition) for topic in named for partition in listed[topic].partitions}
            begins, ends = self._offsets(places, OffsetSpec.earliest()), self._offsets(places, OffsetSpec.latest())
            described = self._admin.describe_consumer_groups(list(groups), request_timeout=TIMEOUT)
            found = {}
            for group, topics in groups.items():
                owners = _owners(described[group])
                committed = self._committed(group)
                found[group] = [
                    PartitionLag(*place, committed.get(place), begins[place], ends[place], owners.get(place))
                    for place in sorted(places)
                    if place[0] in topics
                ]
        except KafkaException as failure:
            raise ConnectorError(f"Kafka at {self._bootstrap}: {failure.args[0].str()}") from failure
        return found

    def _offsets(self, places: Iterable[tuple[str, int]], spec: Any) -> dict[tuple[str, int], int]:
        wanted = {TopicPartition(*place): spec for place in places}
        if not wanted:
            return {}
        answers = self._admin.list_offsets(wanted, request_timeout=TIMEOUT)
        return {(at.topic, at.partition): answer.result(2 * TIMEOUT).offset for at, answer in answers.items()}

    def _committed(self, group: str) -> dict[tuple[str, int], int]:
        asked = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=TIMEOUT)
        answer = asked[group].result(2 * TIMEOUT)
        return {(at.topic, at.partition): at.offset for at in answer.topic_partitions if at.offset >= 0}


def _owners(described: Any) -> dict[tuple[str, int], str]:
    try:
        members = described.result(2 * TIMEOUT).members
    except KafkaException as failure:
        if failure.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:  # as newer brokers say: nobody was ever in it
            return {}
        raise
    return {
        (at.topic, at.partition): f"{member.member_id}@{member.host.lstrip('/')}"
        for member in members
        for at in (member.assignment.topic_partitions if member.assignment else ())
    }
