"""What Kafka does not allow -> one sentence that says what to change."""

from collections.abc import Mapping

from confluent_kafka import KafkaError

from connectors.errors import ConfigurationError, ConnectorError

AUTHENTICATION = KafkaError._AUTHENTICATION  # noqa: SLF001 - librdkafka's own errors begin so


def explained(error: KafkaError, config: Mapping[str, object]) -> ConnectorError:
    """Return what to raise for an error of Kafka's: ConfigurationError for what trying again does not mend."""
    sentence = what_is_missing(error, config)
    return ConnectorError(f"Kafka: {error.str()}") if sentence is None else ConfigurationError(sentence)


def what_is_missing(error: KafkaError, config: Mapping[str, object]) -> str | None:
    """Return the sentence for a refusal, None for an error that is none."""
    user = f"user {config['sasl.username']}" if "sasl.username" in config else "this client"
    transactional_id = config.get("transactional.id")
    sentences = {
        AUTHENTICATION: f"Kafka refuses {user}: check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD, KAFKA_SASL_MECHANISM.",
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: f"Kafka does not let {user} use the transactional id"
        f" {transactional_id}: it needs the operations Write and Describe on it, or on its prefix.",
        KafkaError.CLUSTER_AUTHORIZATION_FAILED: f"Kafka does not let {user} write with idempotence: it needs the"
        " operation IdempotentWrite on the cluster, or Write on a topic.",
        KafkaError.TOPIC_AUTHORIZATION_FAILED: f"Kafka does not let {user} write to a topic: it needs the operations"
        " Write and Describe on it.",
    }
    return sentences.get(error.code())
