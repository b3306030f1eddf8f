"""A Kafka broker inside this process: librdkafka's own test broker, no Java and no Docker."""

from typing import Any

from confluent_kafka import Producer

PARTITIONS = 4  # of every topic; librdkafka does not say otherwise


class EmbeddedBroker:
    """Listens on free loopback ports while it is open.

    Topics appear on first use with `PARTITIONS` partitions. Everything is in memory and bounded (about 5 MB a
    partition: what is older is gone); topics can't be created or described. Transactions are only imitated: records can
    be read before their commit, and an abort leaves them there.
    """

    def __init__(self) -> None:
        # A client that is its own broker: its bootstrap servers are set by the option.
        self._broker: Any = Producer({"test.mock.num.brokers": 1, "log_level": 3})
        brokers = self._broker.list_topics(timeout=10).brokers.values()
        self.bootstrap_servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def close(self) -> None:
        """Stop listening; what was written is gone."""
        self._broker = None
