"""What is wrong with a topic: whether Kafka deletes what is needed, and what to do."""

import pytest

from connectors.kafka.topic_admin import UNKNOWN, Drift
from schemas.topics import ROW_AGE


@pytest.mark.parametrize(
    ("what", "expected", "actual", "loses"),
    [
        ("cleanup.policy", "compact", "delete", True),
        ("cleanup.policy", "compact", "compact,delete", True),
        ("cleanup.policy", "compact", "", False),
        ("cleanup.policy", "delete", "compact", True),
        ("cleanup.policy", "delete", "delete,compact", True),
        ("message.timestamp.type", "LogAppendTime", "CreateTime", False),
        ("retention.ms", "604800000", "1000", False),
        ("partitions", "12", "6", False),
        ("topic", "there", "missing", False),
    ],
)
def test_data_is_lost_where_kafka_deletes_by_a_rule_that_was_not_declared(
    what: str, expected: str, actual: str, loses: bool
) -> None:
    assert Drift("windows", what, expected, actual).loses_data is loses


def test_each_says_what_to_do() -> None:
    assert Drift("windows", "topic", "there", "missing").advice == "cxone-streams topics create"
    assert "no harm" in Drift("windows", "partitions", "12", "6").advice
    assert Drift("windows", "cleanup.policy", "compact", "delete").advice == (
        "kafka-configs.sh --alter --entity-type topics --entity-name windows --add-config cleanup.policy=compact"
    )


def test_of_what_a_broker_does_not_know_it_asks_for_no_change() -> None:
    unknown = Drift("rows", ROW_AGE, "8000", UNKNOWN)

    assert str(unknown) == "rows: message.timestamp.before.max.ms is unknown to this broker, should be 8000"
    assert "newer broker" in unknown.advice
    assert "kafka-configs" not in unknown.advice
