"""The stages of this system, in flow order.

For those who know Faust: `faust -A streams.topology:percentiles worker` runs one as well.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.runtime.app import App

STAGES = ("normalise", "percentiles", "influx", "messages", "rate-limit", "routing", "crm")


def build(stage: str) -> "App":
    """Make a stage's app from the environment: `streams.stages.<stage>.app.build`."""
    app: App = import_module(f"streams.stages.{stage.replace('-', '_')}.app").build()
    return app


def __getattr__(name: str) -> "App":
    """Make a stage's app when it is asked for by name."""
    stage = name.replace("_", "-")
    if stage not in STAGES:
        raise AttributeError(name)
    return build(stage)
