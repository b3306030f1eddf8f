"""What `cxone-streams lag` makes of what Kafka says."""

from connectors.kafka.group_lag import PartitionLag
from schemas.records import EventTimeProgress
from streams.cli.lag import row
from streams.programs.event_time import reached


def partition(number: int, committed: int | None, owner: str | None) -> PartitionLag:
    return PartitionLag("t", number, committed, 40, 100, owner)


def progress(topic: str, partition: int, passed: int) -> EventTimeProgress:
    return EventTimeProgress(topic, partition, 2, "to", passed, 0, caught_up=True, reached=[])


def test_a_stage_with_an_owner_less_partition_and_one_never_committed() -> None:
    said = row("crm", [partition(0, 90, "a"), partition(1, None, None), partition(2, 10, "a")], 5_000, 7.0)

    assert (said["lag"], said["largest_lag"]) == (10 + 60 + 60, 60), "what retention has deleted is no lag"
    assert (said["owned"], said["unowned"], said["workers"]) == (2, 1, 1)
    assert (said["watermark_ms"], said["behind_seconds"]) == (5_000, 2.0)


def test_a_stage_without_topics() -> None:
    said = row("crm", [], None, 7.0)

    assert (said["lag"], said["largest_lag"], said["behind_seconds"]) == (0, 0, None)


def test_a_watermark_is_what_all_partitions_have_passed_and_waits_for_those_not_heard_of() -> None:
    told = [progress("a", 0, 5), progress("a", 1, 9), progress("a", 0, 7), progress("b", 0, 3)]

    assert reached(told) == {"a": 7}
