"""Whether Kafka lets this client do what it is about to: asked at the start, not found out by the first caller."""

from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from connectors.errors import ConfigurationError, ConnectorError
from connectors.kafka.refusals import AUTHENTICATION, explained

TIMEOUT = 15.0  # seconds


def ensure_writable(config: Mapping[str, object], topics: Sequence[str]) -> None:
    """Return if `topics` may be written to with this configuration of librdkafka.

    Raises ConfigurationError that says what to change, ConnectorError when Kafka does not answer.
    """
    refused: list[Any] = []

    def note(error: Any) -> None:
        if error.code() == AUTHENTICATION:
            refused.append(error)

    admin: Any = AdminClient({"log_level": 0, **config, "error_cb": note})
    try:
        answers = admin.describe_topics(
            TopicCollection(list(topics)), include_authorized_operations=True, request_timeout=TIMEOUT
        )
        described = {topic: answer.result(2 * TIMEOUT) for topic, answer in answers.items()}
    except KafkaException as failed:
        admin.poll(0)
        raise explained(refused[0] if refused else failed.args[0], config) from None
    except TimeoutError:
        raise ConnectorError("Kafka does not say what may be written") from None
    for topic, description in described.items():
        allowed = description.authorized_operations
        if allowed is not None and AclOperation.WRITE not in allowed:
            who = f"user {config['sasl.username']}" if "sasl.username" in config else "this client"
            raise ConfigurationError(
                f"Kafka does not let {who} write to {topic}: it needs the operations Write and Describe on it."
            )
