"""The stages of this system, in flow order."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.app import App

STAGES = ("normalise", "percentiles", "influx", "messages", "rate-limit", "routing", "crm")


def build(stage: str) -> "App":
    """Make a stage's app from the environment: `streams.<stage>.app.build`."""
    app: App = import_module(f"streams.{stage.replace('-', '_')}.app").build()
    return app
