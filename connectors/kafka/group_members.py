"""Who takes part in a consumer group, as Kafka's brokers say."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from connectors.errors import ConnectorError

TIMEOUT = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Member:
    """A process in a group: the name that it gave itself, and the address that it came from."""

    client_id: str
    host: str


class GroupMembers:
    """`config` is librdkafka's."""

    def __init__(self, config: Mapping[str, object], *, new_admin: Callable[..., Any] = AdminClient) -> None:
        self._admin = new_admin({"log_level": 3, **config}, logger=logging.getLogger("librdkafka"))

    def of(self, group: str) -> list[Member]:
        """Return the members of a group that live, or died less than its session ago. Blocks.

        Raises ConnectorError when Kafka does not say.
        """
        try:
            described = self._admin.describe_consumer_groups([group], request_timeout=TIMEOUT)[group].result(
                2 * TIMEOUT
            )
        except KafkaException as failure:
            raise ConnectorError(f"Kafka does not describe {group}: {failure.args[0].str()}") from failure
        return [Member(member.client_id, member.host) for member in described.members]
