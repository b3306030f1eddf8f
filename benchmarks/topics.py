"""Topics and groups on the broker of a benchmark: made afresh, filled, watched and read back."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.group import LeaveGroupRequest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from connectors.kafka.publisher import DEFAULTS
from connectors.kafka.topic_admin import TopicAdmin
from schemas.envelope import Outgoing
from schemas.topics import TopicSpec

TIMEOUT = 30.0  # seconds
QUEUED = 100_000  # records in the producer


class Leg(NamedTuple):
    """One hop that must be finished: a consumer group, what it reads, and how many records there have to be of it."""

    group: str
    topic: str
    records: int = 0


class Topics:
    """What is done with the broker at `bootstrap`. Blocking; close it."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._config = {"bootstrap.servers": bootstrap, "log_level": 0}
        self._admin: Any = AdminClient(self._config)
        self._groups: dict[str, Any] = {}

    def close(self) -> None:
        for consumer in self._groups.values():
            consumer.close()

    def fresh(self, specs: Sequence[TopicSpec], groups: Sequence[str]) -> None:
        """Make `specs` empty and let `groups` begin again. Their consumers must have stopped, or been killed."""
        there = {spec.name for spec in specs} & set(self._names())
        if there:
            for deleted in self._admin.delete_topics(sorted(there)).values():
                deleted.result(TIMEOUT)
            while there & set(self._names()):
                time.sleep(0.05)
        known = {group.group_id for group in self._admin.list_consumer_groups().result(TIMEOUT).valid}
        forgotten = sorted(known & set(groups))
        for group in forgotten:
            self.let_go(group)
        if forgotten:
            for deleted in self._admin.delete_consumer_groups(forgotten).values():
                deleted.result(TIMEOUT)
        TopicAdmin(self._config).create(specs)

    def let_go(self, group: str) -> None:
        """Have a group forget its members, who were killed: it would wait for them as long as a session lasts."""
        described = self._admin.describe_consumer_groups([group])[group].result(TIMEOUT)
        members = [member.member_id for member in described.members]
        if members:
            asyncio.run(_leave(self.bootstrap, group, members))

    def touch(self, specs: Sequence[TopicSpec]) -> None:
        """Ask for `specs`: on the embedded broker that creates them."""
        asker = self._consumer("touch", **{"allow.auto.create.topics": True})
        for spec in specs:
            asker.list_topics(spec.name, TIMEOUT)
        asker.close()

    def publish(self, records: Iterator[Outgoing]) -> None:
        """Write `records` and wait until they are there."""
        producer = Producer(
            {**DEFAULTS, **self._config, "queue.buffering.max.messages": 2 * QUEUED, "linger.ms": 50},
        )
        for number, record in enumerate(records):
            producer.produce(record.topic, record.value, record.key, headers=list(record.headers))
            if number % 1000 == 0:
                producer.poll(0)
                while len(producer) > QUEUED:
                    producer.poll(0.1)
        producer.flush()

    def finished(self, legs: Sequence[Leg]) -> bool:
        """Tell whether every leg has committed all there is. Given in flow order, so that nothing can follow."""
        return all(self._is_finished(leg) for leg in legs)

    def _is_finished(self, leg: Leg) -> bool:
        if leg.group not in self._groups:
            self._groups[leg.group] = self._consumer(leg.group)
        places, ends = self._places(leg.topic), self.ends(leg.topic)
        committed = self._groups[leg.group].committed(places, timeout=TIMEOUT)
        return sum(ends.values()) >= leg.records and all(
            max(place.offset, 0) >= ends[place.partition] for place in committed
        )

    def ends(self, topic: str) -> dict[int, int]:
        """Return the end of each partition."""
        asked = self._admin.list_offsets({place: OffsetSpec.latest() for place in self._places(topic)})
        return {place.partition: answer.result(TIMEOUT).offset for place, answer in asked.items()}

    def follow(self, topic: str) -> Any:
        """Return a consumer of all there is and will be of `topic`; close it."""
        consumer = self._consumer("follow")
        consumer.assign([TopicPartition(p.topic, p.partition, OFFSET_BEGINNING) for p in self._places(topic)])
        return consumer

    def read(self, topic: str) -> Iterator[Message]:
        """Yield the records that are on `topic` now."""
        consumer = self._consumer("read", **{"enable.partition.eof": True})
        places = [TopicPartition(p.topic, p.partition, OFFSET_BEGINNING) for p in self._places(topic)]
        consumer.assign(places)
        ends = 0
        while ends < len(places):
            for message in consumer.consume(5_000, 1.0):
                if message.error() is None:
                    yield message
                elif message.error().code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - that is its name
                    ends += 1
                else:
                    raise KafkaException(message.error())
        consumer.close()

    def _consumer(self, group: str, **config: object) -> Any:
        return Consumer({**self._config, "group.id": group, "enable.auto.commit": False, **config})

    def _names(self) -> list[str]:
        return list(self._admin.list_topics(timeout=TIMEOUT).topics)

    def _places(self, topic: str) -> list[TopicPartition]:
        listed = self._admin.list_topics(topic, timeout=TIMEOUT).topics[topic].partitions
        return [TopicPartition(topic, partition) for partition in sorted(listed)]


async def _leave(bootstrap: str, group: str, members: Sequence[str]) -> None:
    """Say it for members that cannot: librdkafka's client says it for none but itself."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        coordinator = await admin.find_coordinator(group)
        for member in members:
            await admin._send_request_to_node(coordinator, LeaveGroupRequest(group, member))  # noqa: SLF001
    finally:
        await admin.close()
