"""What a person asks of a broker when something is wrong: does it answer, may we, and what time has it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, Message, Producer, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from connectors.errors import ConfigurationError, ConnectorError
from connectors.kafka.refusals import AUTHENTICATION, explained

TIMEOUT = 6.0  # seconds for each answer of the broker
NOT_THERE_OR_REFUSED = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
}
MARK = b"doctor"  # key of the tombstone that the clock is read with


def reach(config: Mapping[str, object]) -> int:
    """Return how many brokers there are.

    Raises ConfigurationError when they refuse us, ConnectorError when none answers.
    """
    admin, refused = _admin(config)
    try:
        return len(admin.list_topics(timeout=TIMEOUT).brokers)
    except KafkaException as failure:
        admin.poll(0)
        raise explained(refused[0] if refused else failure.args[0], config) from None


def hidden(config: Mapping[str, object], topics: Sequence[str]) -> list[str]:
    """Return which of these topics this client may not know of, whether they are there or not."""
    admin, _ = _admin(config)
    answers = _described(admin, topics) if topics else {}
    return [topic for topic, code in answers.items() if code == KafkaError.TOPIC_AUTHORIZATION_FAILED]


def missing_rights(config: Mapping[str, object], topics: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Return `name: operation` for each right that is missing to read and write topics, and to read as a group.

    Nothing where the broker does not say: a topic is not there, or it has no authorizer, or is too old. Raises
    ConnectorError.
    """
    admin, _ = _admin(config)
    found = []
    for topic, allowed in _described(admin, topics).items():
        if allowed == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            found.append(f"{topic}: Describe, Read, Write")
        elif isinstance(allowed, list):
            wanted = {"Read": AclOperation.READ, "Write": AclOperation.WRITE}
            found += [f"{topic}: {name}" for name, operation in wanted.items() if operation not in allowed]
    answers = admin.describe_consumer_groups(list(groups), include_authorized_operations=True, request_timeout=TIMEOUT)
    for group, answer in answers.items():
        allowed = _allowed(answer)
        if allowed == KafkaError.GROUP_AUTHORIZATION_FAILED or (
            isinstance(allowed, list) and AclOperation.READ not in allowed
        ):
            found.append(f"group {group}: Read")
    return found


def _described(admin: Any, topics: Sequence[str]) -> dict[str, list[Any] | int | None]:
    answers = admin.describe_topics(
        TopicCollection(list(topics)), include_authorized_operations=True, request_timeout=TIMEOUT
    )
    return {topic: _allowed(answer) for topic, answer in answers.items()}


def _allowed(answer: Any) -> list[Any] | int | None:
    """Return the operations that are allowed, None where nobody says, or the code of the refusal."""
    try:
        allowed: list[Any] | None = answer.result(2 * TIMEOUT).authorized_operations
    except KafkaException as failure:
        code: int = failure.args[0].code()
        if code not in NOT_THERE_OR_REFUSED:
            raise ConnectorError(f"Kafka: {failure.args[0].str()}") from None
        return code
    return allowed


def clock_ahead(config: Mapping[str, object], topic: str) -> float:
    """Return by how many seconds the broker's clock is ahead of this machine's.

    Writes a tombstone under the key `doctor`, which no reader looks at, to a compacted topic with LogAppendTime.
    Raises ConnectorError; ConfigurationError when it is not to be had so.
    """
    told: list[tuple[KafkaError | None, int, int]] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        told.append((error, *message.timestamp()))

    producer = Producer({**config, "acks": "all", "message.timeout.ms": int(1000 * TIMEOUT), "log_level": 0})
    before = time.time()
    producer.produce(topic, None, MARK, 0, on_delivery=delivered)
    producer.flush(TIMEOUT + 1)
    after = time.time()
    if not told:
        raise ConnectorError("Kafka does not take a record in time")
    error, kind, stamped = told[0]
    if error is not None:
        raise explained(error, config)
    if kind != TIMESTAMP_LOG_APPEND_TIME:
        raise ConfigurationError(f"{topic} has no LogAppendTime: see `cxone-streams topics check`")
    at = stamped / 1000
    return at - after if at > after else min(0.0, at + 0.001 - before)  # a stamp has whole milliseconds


def _admin(config: Mapping[str, object]) -> tuple[Any, list[Any]]:
    refused: list[Any] = []

    def note(error: Any) -> None:
        if error.code() == AUTHENTICATION:
            refused.append(error)

    return AdminClient({"log_level": 0, **config, "error_cb": note}), refused
