"""Partitions for a stage without a group."""

from typing import Any

from streams.runtime.stage import Stage


def own(stage: Stage[Any], generation: object = 0) -> None:
    """Let a stage have its partitions, assigned and recovered in `generation` (0 is that of Faust's test channels)."""
    stage.begin(generation)
    stage.resume(generation)
