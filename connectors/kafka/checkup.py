"""What a person asks of a broker when something is wrong: does it answer, may we, and what time has it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaException, Message, Producer, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from connectors.errors import ConfigurationError, ConnectorError
from connectors.kafka.refusals import AUTHENTICATION, explained

TIMEOUT = 6.0  # seconds for each answer of the broker
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


def missing_rights(config: Mapping[str, object], topics: Sequence[str]) -> list[str]:
    """Return `topic: operation` for each right that is missing to read and write topics, which must be there.

    Nothing where the broker does not say: it has no authorizer, or is too old. Raises ConnectorError.
    """
    admin, _ = _admin(config)
    answers = admin.describe_topics(
        TopicCollection(list(topics)), include_authorized_operations=True, request_timeout=TIMEOUT
    )
    found = []
    for topic, answer in answers.items():
        try:
            allowed = answer.result(2 * TIMEOUT).authorized_operations
        except KafkaException as failure:
            found.append(f"{topic}: {failure.args[0].str()}")
            continue
        if allowed is not None:
            wanted = {"Read": AclOperation.READ, "Write": AclOperation.WRITE}
            found += [f"{topic}: {name}" for name, operation in wanted.items() if operation not in allowed]
    return found


def clock_ahead(config: Mapping[str, object], topic: str) -> float:
    """Return by how many seconds the broker's clock is ahead of this machine's.

    Writes a tombstone under the key `doctor`, which no reader looks at, to a compacted topic with LogAppendTime.
    Raises ConnectorError.
    """
    told: list[tuple[str | None, int, int]] = []

    def delivered(error: Any, message: Message) -> None:
        told.append((error.str(), 0, 0) if error is not None else (None, *message.timestamp()))

    producer = Producer({**config, "acks": "all", "message.timeout.ms": int(1000 * TIMEOUT), "log_level": 0})
    before = time.time()
    producer.produce(topic, None, MARK, 0, on_delivery=delivered)
    producer.flush(TIMEOUT + 1)
    after = time.time()
    error, kind, stamped = told[0] if told else ("it does not take a record in time", 0, 0)
    if error is not None:
        raise ConnectorError(f"Kafka: {error}")
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
