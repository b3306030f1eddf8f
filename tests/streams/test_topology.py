from importlib import import_module

import pytest

from schemas.topics import TOPICS
from streams import topology


def test_every_stage_has_its_app() -> None:
    for stage in topology.STAGES:
        assert callable(import_module(f"streams.stages.{stage.replace('-', '_')}.app").build)


def test_stages_are_those_that_the_topics_name() -> None:
    named = {name for spec in TOPICS for name in (*spec.readers, *spec.writers)}

    assert set(topology.STAGES) == {name for name in named if not name.startswith("connect ")}


def test_stages_are_in_flow_order() -> None:
    first_read = {reader: at for at, spec in reversed(list(enumerate(TOPICS))) for reader in spec.readers}

    assert sorted(topology.STAGES, key=first_read.__getitem__) == list(topology.STAGES)


def test_an_unknown_stage_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="nonsense"):
        topology.build("nonsense")
