import pytest

from connectors.kafka.topic_admin import Drift, configuration, copartition_mismatches, planned_partitions
from schemas.topics import Cleanup, TopicSpec


def _spec(name: str, *, copartition: str | None = None, partitions: int = 12) -> TopicSpec:
    return TopicSpec(name=name, key="k", record="r", partitions=partitions, copartition=copartition)


RAW, SEEN, OTHER = _spec("raw", copartition="stage"), _spec("seen", copartition="stage"), _spec("other")


def test_a_deleted_topic_declares_its_retention() -> None:
    assert configuration(_spec("raw")) == {"cleanup.policy": "delete", "retention.ms": "604800000"}


def test_a_compacted_topic_keeps_everything_and_its_own_configuration() -> None:
    spec = TopicSpec(name="log", key="k", record="r", cleanup=Cleanup.COMPACT, config={"segment.bytes": "1"})

    assert configuration(spec) == {"cleanup.policy": "compact", "segment.bytes": "1"}


def test_topics_that_share_partitions_must_have_as_many() -> None:
    assert copartition_mismatches([RAW, SEEN, OTHER], {"raw": 4, "seen": 12, "other": 1}) == [
        "topics of stage must have the same number of partitions: raw has 4, seen has 12"
    ]


@pytest.mark.parametrize("partitions", [{"raw": 4, "seen": 4, "other": 1}, {"raw": 4, "other": 1}, {}])
def test_matching_and_missing_topics_are_no_mismatch(partitions: dict[str, int]) -> None:
    assert copartition_mismatches([RAW, SEEN, OTHER], partitions) == []


@pytest.mark.parametrize(
    ("existing", "wanted", "planned"),
    [
        ({}, None, {"raw": 12, "seen": 12, "other": 12}),
        ({}, 3, {"raw": 3, "seen": 3, "other": 3}),
        ({"raw": 4}, None, {"seen": 4, "other": 12}),
        ({"raw": 4}, 3, {"seen": 4, "other": 3}),
        ({"raw": 4, "seen": 4, "other": 1}, 3, {}),
    ],
)
def test_a_missing_topic_gets_as_many_partitions_as_the_one_it_must_match(
    existing: dict[str, int], wanted: int | None, planned: dict[str, int]
) -> None:
    assert planned_partitions([RAW, SEEN, OTHER], existing, partitions=wanted) == planned


def test_drift_reads_as_a_sentence() -> None:
    assert str(Drift("raw", "retention.ms", "2", "1")) == "raw: retention.ms is 1, should be 2"
