"""What `cxone-streams lag` makes of what Kafka says."""

import pytest

from connectors.errors import ConfigurationError, ConnectorError
from connectors.kafka.group_lag import PartitionLag
from schemas.records import EventTimeProgress
from streams.cli.lag import lines, looks, row
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


def test_a_line_of_a_pipe_names_each_figure() -> None:
    rows = [row("crm", [partition(0, 90, "a"), partition(1, None, None)], 5_000, 7.0), row("influx", [], None, 7.0)]

    assert lines(rows, partitions=False) == [
        "crm  lag 70  most 60  owned 1 of 2  workers 1  watermark (UTC) 1970-01-01 00:00:05  behind 2 s",
        "influx  lag 0  most 0  owned 0 of 0  workers 0",
    ]
    assert lines(rows, partitions=True) == [
        "crm  topic t  partition 0  lag 10  committed 90  end 100  owner a",
        "crm  topic t  partition 1  lag 60  committed -  end 100  owner -",
    ]


def test_looks_come_in_turn_past_an_outage_until_their_time_is_over() -> None:
    clock = [100.0]
    answers = iter(("first", ConnectorError("away"), "third", "fourth"))

    def look() -> str:
        clock[0] += 0.25
        answer = next(answers)
        if isinstance(answer, ConnectorError):
            raise answer
        return str(answer)

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    seen = list(looks(look, every=2, seconds=5, now=lambda: clock[0], sleep=sleep))

    assert [str(each) for each in seen] == ["first", "away", "third"]
    assert clock == [100 + 3 * 0.25 + 2 * 2]


def test_what_waiting_does_not_mend_ends_the_looks() -> None:
    def look() -> None:
        raise ConfigurationError("wrong password")

    with pytest.raises(ConfigurationError):
        next(looks(look, every=2, seconds=None))
