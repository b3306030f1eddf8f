from importlib import import_module

import pytest

from schemas.topics import DEAD_LETTERS, GUEST_ADMITTED, ROUTING_RETRIES, TOPICS
from streams import topology
from streams.topology import DECLARATIONS, STAGES, topics


def test_every_folder_of_stages_is_a_stage_with_an_app() -> None:
    for stage in STAGES:
        assert callable(import_module(f"streams.stages.{stage.replace('-', '_')}.app").build)


def test_a_stage_is_named_as_its_folder() -> None:
    for stage in STAGES:
        module = import_module(f"streams.stages.{stage.replace('-', '_')}.declaration")
        assert module.DECLARATION.name == stage


def test_stages_are_in_flow_order() -> None:
    at = {spec.name: number for number, spec in enumerate(TOPICS)}

    assert [at[each.reads.name] for each in DECLARATIONS.values()] == sorted(
        at[each.reads.name] for each in DECLARATIONS.values()
    )


def test_every_topic_has_a_writer_and_what_stages_declare_is_listed() -> None:
    declared = {spec.name for each in DECLARATIONS.values() for spec in (*each.sources, *each.writes)}

    assert declared <= {spec.name for spec in TOPICS}
    for spec in TOPICS:
        assert topology.writers(spec.name), f"nobody declares to write {spec.name}"


def test_everybody_writes_dead_letters() -> None:
    assert set(topology.writers(DEAD_LETTERS.name)) == {*STAGES, *(f"connect {name}" for name in topology.CONNECTORS)}


def test_a_changelog_stands_behind_its_source_with_its_partitions() -> None:
    order = [spec.name for spec in topics()]

    assert order.index("cxone-normalise-seen-changelog") == order.index("cxone.raw.interactions") + 1
    for each in DECLARATIONS.values():
        groups = {
            spec.copartition for spec in topics() if spec.name in {s.name for s in (*each.sources, *each.changelogs)}
        }
        assert len(groups) == 1, each.name
        assert None not in groups, each.name


def test_stages_that_share_a_source_share_its_partitions() -> None:
    group = {spec.name: spec.copartition for spec in topics()}

    assert group["cxone-crm-batches-changelog"] == group[GUEST_ADMITTED.name] == group[ROUTING_RETRIES[0].name]
    assert group["cxone.campaign.hourly"] != group["cxone.interactions.completed"]


def test_a_stage_needs_its_topics_its_changelogs_and_the_dead_letters() -> None:
    assert [spec.name for spec in topology.of_stage("percentiles")] == [
        "cxone.interactions.completed",
        "cxone-percentiles-windows-changelog",
        "cxone.campaign.hourly",
        "cxone.event-time",
        "cxone.dead-letters",
    ]


def test_the_topics_of_the_audit_are_kept_as_long_as_a_setting_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_RETENTION_DAYS", "3")

    kept = {spec.name: spec.retention_ms for spec in topology.configured(topics())}

    assert kept["cxone.dashboard.audit"] == kept["cxone.dashboard.audit.heads"] == 3 * 86_400_000
    others = {spec.name: spec.retention_ms for spec in topics() if "audit" not in spec.name}
    assert others.items() <= kept.items()


def test_settings_of_everything_are_found() -> None:
    found = {model.__name__ for model in topology.settings_models()}

    assert {"KafkaSettings", "CxoneSettings", "WorkerSettings", "RoutingSettings", "PercentilesSettings"} <= found
    assert "DialectSettings" not in found, "what another model extends is listed there"


def test_an_unknown_stage_is_an_error() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        topology.build("nonsense")
