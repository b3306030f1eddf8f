"""What readiness says of single partitions, and since when."""

from streams.runtime.partition_troubles import PartitionTroubles


def test_nothing_wrong_is_nothing_said() -> None:
    assert PartitionTroubles().said("source", {}, now=0.0) is None


def test_each_partition_is_named_with_how_long_it_has_been_so() -> None:
    troubles = PartitionTroubles()
    troubles.see({("windows", 3): "has had no leader"}, now=10.0)
    troubles.see({("windows", 3): "has had no leader", ("source", 1): "has had no leader"}, now=40.0)

    said = troubles.said("source", {3: 48.2}, now=60.0)

    assert (said or "").split("; ") == [
        "source 3: nothing is written for 48 s",
        "source 1 has had no leader for 20 s",
        "windows 3 has had no leader for 50 s",
    ]


def test_a_trouble_that_changes_has_lasted_since_the_first_and_one_that_ends_is_forgotten() -> None:
    troubles = PartitionTroubles()
    troubles.see({("windows", 3): "has had no leader"}, now=10.0)
    troubles.see({("windows", 3): "has had 1 of 2 replicas in sync that it needs"}, now=20.0)
    assert troubles.said("source", {}, now=30.0) == "windows 3 has had 1 of 2 replicas in sync that it needs for 20 s"

    troubles.see({}, now=40.0)
    assert troubles.said("source", {}, now=40.0) is None
    troubles.see({("windows", 3): "has had no leader"}, now=50.0)
    assert troubles.said("source", {}, now=51.0) == "windows 3 has had no leader for 1 s"
