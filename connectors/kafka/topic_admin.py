"""Topics as declared <-> topics as the broker has them: creating, comparing, and the check at a program's start."""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from connectors.errors import ConfigurationError, ConnectorError
from connectors.settings import KafkaSettings
from schemas.topics import ROW_AGE, Cleanup, TopicSpec

BROKER_DEFAULT = -1
CLEANUP = "cleanup.policy"
STAMPS = "message.timestamp.type"  # else whoever wrote a record says when it came
SEEN_AT_START = CLEANUP, STAMPS, ROW_AGE
UNKNOWN = "unknown to this broker"
TIMEOUT = 30.0  # seconds for each answer of the broker
SOON = 5.0  # seconds of these, after which we say what we wait for
LED_WITHIN = 120.0  # seconds: Kafka takes some 30 until 1,000 new partitions have a leader that knows it
# What is said of a partition whose leader does not know yet that it is
_NOT_LED = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing of a topic that is not as declared: `partitions`, or the name of a topic configuration."""

    topic: str
    what: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.what} is {self.actual}, should be {self.expected}"

    @property
    def loses_data(self) -> bool:
        """Whether Kafka deletes what the topic has to keep: state by its age, or events because of their key."""
        return self.what == CLEANUP and bool(set(self.actual.split(",")) - {self.expected, ""})

    @property
    def advice(self) -> str:
        """What to do about it."""
        if self.what == "topic":
            return "cxone-streams topics create"
        if self.what == "partitions":
            return "no harm while the topics of a stage have the same number; --partitions compares with another one"
        if self.actual == UNKNOWN:
            return "a newer broker may have it; docs/deploy.md says from which version on, and what goes without"
        change = f"--entity-name {self.topic} --add-config {self.what}={self.expected}"
        return f"kafka-configs.sh --alter --entity-type topics {change}"


def configuration(spec: TopicSpec) -> dict[str, str]:
    """Return the topic configuration that `spec` declares."""
    kept = {"retention.ms": str(spec.retention_ms)} if spec.cleanup is Cleanup.DELETE else {}
    return {CLEANUP: spec.cleanup.value, **kept, **spec.config}


def copartition_mismatches(specs: Iterable[TopicSpec], partitions: Mapping[str, int]) -> list[str]:
    """Return a sentence for each set of topics that must have the same number of partitions and do not.

    A stage keeps the state of partition 3 in partition 3 of its changelog: with other numbers it would look for it in
    the wrong place.
    """
    groups: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for spec in specs:
        if spec.copartition is not None and spec.name in partitions:
            groups[spec.copartition][spec.name] = partitions[spec.name]
    return [
        f"topics of {group} must have the same number of partitions: "
        + ", ".join(f"{name} has {number}" for name, number in numbers.items())
        for group, numbers in groups.items()
        if len(set(numbers.values())) > 1
    ]


def planned_partitions(
    specs: Iterable[TopicSpec], existing: Mapping[str, int], *, partitions: int | None = None
) -> dict[str, int]:
    """Return how many partitions each missing topic gets.

    As many as an existing topic that it must match; else `partitions`; else what it declares.
    """
    specs = tuple(specs)
    matched = {spec.copartition: existing[spec.name] for spec in specs if spec.copartition and spec.name in existing}
    return {
        spec.name: (spec.copartition and matched.get(spec.copartition)) or partitions or spec.partitions
        for spec in specs
        if spec.name not in existing
    }


class TopicAdmin:
    """What a broker knows of topics. `config` is librdkafka's.

    Every method waits for the broker and raises ConnectorError when it does not answer, ConfigurationError when it
    refuses.
    """

    def __init__(self, config: Mapping[str, object]) -> None:
        self._bootstrap = config["bootstrap.servers"]
        # Its lines go to our log when somebody polls. Nobody does: what matters of them is in the errors.
        self._admin: Any = AdminClient({"log_level": 3, **config}, logger=logging.getLogger("librdkafka"))

    def partitions(self) -> dict[str, int]:
        """Return the number of partitions of every topic."""
        try:
            listed = self._listed(SOON)
        except KafkaException as exc:
            log.warning(
                "Kafka does not answer", servers=self._bootstrap, reason=_said(exc), trying_for=f"{TIMEOUT - SOON:g} s"
            )
            try:
                listed = self._listed(TIMEOUT - SOON)
            except KafkaException as again:
                raise ConnectorError(f"Kafka at {self._bootstrap} does not answer: {_said(again)}") from again
        return {name: len(topic.partitions) for name, topic in listed.topics.items()}

    def ids(self, names: Iterable[str]) -> dict[str, str]:
        """Return the id of each topic that is there: another one when it was deleted and made again.

        A broker that is too old to have ids, or the embedded one, which has no controller to ask, says none.
        """
        try:
            cluster = self._listed(TIMEOUT)
        except KafkaException as exc:
            raise ConnectorError(f"Kafka at {self._bootstrap} does not answer: {_said(exc)}") from exc
        there = [name for name in names if name in cluster.topics]
        if not there or cluster.controller_id not in cluster.brokers:
            return {}
        answers = self._admin.describe_topics(TopicCollection(there), request_timeout=TIMEOUT)
        found = {}
        for name, answer in answers.items():
            try:
                its_id = answer.result(2 * TIMEOUT).topic_id
            except KafkaException as exc:
                code = exc.args[0].code()
                if code in {KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNKNOWN_TOPIC_OR_PART}:  # noqa: SLF001
                    continue
                raise ConnectorError(f"Kafka at {self._bootstrap} does not describe {name}: {_said(exc)}") from exc
            if its_id.get_most_significant_bits() or its_id.get_least_significant_bits():
                found[name] = str(its_id)
        return found

    def unwell(self, names: Iterable[str]) -> dict[tuple[str, int], str]:
        """Return what is wrong with partitions of these topics, as far as it keeps them from being read or written."""
        try:
            cluster = self._listed(TIMEOUT)
        except KafkaException as exc:
            raise ConnectorError(f"Kafka at {self._bootstrap} does not answer: {_said(exc)}") from exc
        there = [name for name in names if name in cluster.topics]
        try:
            kept = self._configurations(there)
        except ConfigurationError:  # it may not ask: leaders can be told all the same
            kept = {}
        found = {}
        for name in there:
            needed = int(kept.get(name, {}).get("min.insync.replicas") or 1)
            for number, partition in cluster.topics[name].partitions.items():
                in_sync = sum(replica in cluster.brokers for replica in partition.isrs)
                if partition.leader not in cluster.brokers:
                    found[name, number] = "has had no leader"
                elif in_sync < min(needed, len(partition.replicas)):
                    found[name, number] = f"has had {in_sync} of {needed} replicas in sync that it needs"
        return found

    def ends(self, topic: str) -> dict[int, int]:
        """Return the end of each partition of a topic: the offset of what is appended next."""
        places = [TopicPartition(topic, partition) for partition in range(self.partitions().get(topic, 0))]
        if not places:
            return {}
        answers = self._admin.list_offsets({place: OffsetSpec.latest() for place in places}, request_timeout=TIMEOUT)
        try:
            return {place.partition: answer.result(2 * TIMEOUT).offset for place, answer in answers.items()}
        except KafkaException as exc:
            raise ConnectorError(f"Kafka does not say where {topic} ends: {_said(exc)}") from exc

    def _listed(self, timeout: float) -> Any:
        return self._admin.list_topics(timeout=timeout)

    def create(
        self, specs: Sequence[TopicSpec], *, partitions: int | None = None, replication_factor: int = BROKER_DEFAULT
    ) -> list[str]:
        """Create what is missing of `specs`; return the names. A topic that somebody else creates meanwhile is fine."""
        planned = planned_partitions(specs, self.partitions(), partitions=partitions)
        wanted = [
            NewTopic(spec.name, planned[spec.name], replication_factor, config=configuration(spec))
            for spec in specs
            if spec.name in planned
        ]
        if not wanted:
            return []
        created = []
        for name, answer in self._admin.create_topics(wanted, operation_timeout=TIMEOUT).items():
            try:
                answer.result(2 * TIMEOUT)
            except KafkaException as exc:
                if exc.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                    continue
                raise ConfigurationError(f"Kafka does not create {name}: {_said(exc)}{_needed(exc)}") from exc
            created.append(name)
        self._await_visible(set(created))
        self.await_leaders(created, leaderless=True)
        return created

    def await_leaders(self, names: Iterable[str], *, leaderless: bool = False) -> None:
        """Return when the leader of each partition of these topics knows that it is, or after `LED_WITHIN`.

        A new topic is listed earlier. Who writes to it then can lose the first records without an error (KAFKA-15591):
        of two requests under way the first is refused, the second is taken, and when the first comes again Kafka holds
        it for a duplicate. Partitions without a leader are waited for if they are to be had soon, as `leaderless` says.
        """
        began, pause, said = time.monotonic(), 0.05, False
        names = set(names)
        while waiting := self._not_led(names, leaderless=leaderless):
            waited = time.monotonic() - began
            if waited > LED_WITHIN:
                log.warning("Kafka lists partitions and has no leader for them", partitions=len(waiting))
                return
            if waited > SOON and not said:
                said = True
                log.info("waiting for the leaders of new partitions", partitions=len(waiting), first=waiting[0])
            time.sleep(pause)
            pause = min(2 * pause, 1.0)

    def _not_led(self, names: Iterable[str], *, leaderless: bool) -> list[str]:
        try:
            cluster = self._listed(TIMEOUT)
        except KafkaException as exc:
            raise ConnectorError(f"Kafka at {self._bootstrap} does not answer: {_said(exc)}") from exc
        places = [
            TopicPartition(name, number)
            for name in names
            if name in cluster.topics
            for number, partition in cluster.topics[name].partitions.items()
            if leaderless or partition.leader in cluster.brokers
        ]
        if not places:
            return []
        answers = self._admin.list_offsets({place: OffsetSpec.latest() for place in places}, request_timeout=SOON)
        found = []
        for place, answer in answers.items():
            try:
                answer.result(2 * TIMEOUT)
            except KafkaException as exc:  # anything else is said by who reads or writes there
                if exc.args[0].code() in _NOT_LED:
                    found.append(f"{place.topic} {place.partition}")
        return found

    def drift(self, specs: Sequence[TopicSpec], *, partitions: int | None = None) -> list[Drift]:
        """Return what is not as declared, topic by topic. `partitions` stands in for the declared number."""
        existing = self.partitions()
        found = []
        described = self._configurations([spec.name for spec in specs if spec.name in existing])
        for spec in specs:
            if spec.name not in existing:
                found.append(Drift(spec.name, "topic", "there", "missing"))
                continue
            number = partitions or spec.partitions
            if existing[spec.name] != number:
                found.append(Drift(spec.name, "partitions", str(number), str(existing[spec.name])))
            found += _differences(spec, described[spec.name])
        return found

    def drift_at_start(self, specs: Sequence[TopicSpec]) -> list[Drift]:
        """Return what a program looks at before it begins: of topics that are there, what `SEEN_AT_START` names.

        Nothing where this client may not ask, or the broker cannot say (the embedded one).
        """
        try:
            cluster = self._listed(TIMEOUT)
        except KafkaException as exc:
            raise ConnectorError(f"Kafka at {self._bootstrap} does not answer: {_said(exc)}") from exc
        there = [spec for spec in specs if spec.name in cluster.topics]
        if cluster.controller_id not in cluster.brokers:
            return []
        try:
            described = self._configurations([spec.name for spec in there])
        except ConfigurationError as refused:
            log.info("topics are not compared with what is declared", reason=str(refused))
            return []
        differences = [drift for spec in there for drift in _differences(spec, described[spec.name])]
        return [drift for drift in differences if drift.what in SEEN_AT_START]

    def _configurations(self, names: Sequence[str]) -> dict[str, dict[str, str | None]]:
        """Return the configuration of topics."""
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        answers = self._admin.describe_configs(resources, request_timeout=TIMEOUT) if resources else {}
        found = {}
        for resource, answer in answers.items():
            try:
                entries = answer.result(2 * TIMEOUT)
            except KafkaException as exc:
                raise ConfigurationError(f"Kafka does not describe {resource.name}: {_said(exc)}") from exc
            found[resource.name] = {key: entry.value for key, entry in entries.items()}
        return found

    def _await_visible(self, names: set[str]) -> None:
        """Brokers hear of a new topic a moment after the controller has confirmed it."""
        deadline = time.monotonic() + TIMEOUT
        while not names <= self.partitions().keys():
            if time.monotonic() > deadline:
                raise ConnectorError(f"Kafka created topics but does not show them: {', '.join(sorted(names))}")
            time.sleep(0.05)


def topic_ids(settings: KafkaSettings, names: Iterable[str]) -> dict[str, str]:
    """Return the ids of topics: see `TopicAdmin.ids`. Raises ConnectorError."""
    return TopicAdmin(settings.librdkafka()).ids(names)


def unwell(settings: KafkaSettings, names: Iterable[str]) -> dict[tuple[str, int], str]:
    """Return what is wrong with partitions: see `TopicAdmin.unwell`. Raises ConnectorError."""
    return TopicAdmin(settings.librdkafka()).unwell(names)


def ensure_topics(settings: KafkaSettings, specs: Sequence[TopicSpec]) -> None:
    """See to it at a program's start that its topics are there and fit each other; waits for the broker.

    Missing ones are created if the settings allow it. Raises ConfigurationError when one is missing, its number of
    partitions does not match, or its cleanup policy would delete what is needed; ConnectorError when Kafka does not
    answer. What is otherwise not as declared is warned of.
    """
    admin = TopicAdmin(settings.librdkafka())
    if settings.create_topics:
        admin.create(specs, replication_factor=settings.replication_factor)
    partitions = admin.partitions()
    missing = [spec.name for spec in specs if spec.name not in partitions]
    if missing:
        raise ConfigurationError(
            f"missing on Kafka: {', '.join(missing)}. Create them with: cxone-streams topics create"
        )
    mismatches = copartition_mismatches(specs, partitions)
    if mismatches:
        raise ConfigurationError("\n".join(mismatches))
    admin.await_leaders(spec.name for spec in specs)  # somebody else may have created them a moment ago
    drift = admin.drift_at_start(specs)
    losing = [
        f"{each}. Kafka would delete what is needed. Change it: {each.advice}" for each in drift if each.loses_data
    ]
    if losing:
        raise ConfigurationError("\n".join(losing))
    for each in drift:
        log.warning("a topic is not as declared", problem=str(each), advice=each.advice)


def _differences(spec: TopicSpec, actual: Mapping[str, str | None]) -> list[Drift]:
    return [
        Drift(spec.name, key, value, str(actual.get(key, UNKNOWN)))
        for key, value in configuration(spec).items()
        if actual.get(key) != value
    ]


def _needed(error: KafkaException) -> str:
    if error.args[0].code() not in {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}:
        return ""
    return (
        ". It takes the operation Create on the cluster or the topic; where others make them: KAFKA_CREATE_TOPICS=false"
    )


def _said(error: KafkaException) -> str:
    text: str = error.args[0].str()
    return text
