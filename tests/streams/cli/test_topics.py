"""`topics check`, with a broker that says anything of its topics."""

from importlib import import_module

import pytest
from typer.testing import CliRunner

from connectors.kafka.topic_admin import Drift

topics = import_module("streams.cli.topics")


class HostileAdmin:
    def drift(self, *_: object, **__: object) -> list[Drift]:
        return [Drift("cxone.raw.messages", "cleanup.policy", "delete", "\x1b]0;t\x07[red]x[/red]\u202e\x9b2J")]

    def partitions(self) -> dict[str, int]:
        return {}


def test_what_a_broker_says_of_a_topic_rewrites_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "_admin", lambda: (HostileAdmin(), None))
    monkeypatch.setenv("COLUMNS", "200")

    done = CliRunner().invoke(topics.app, ["check"])

    assert done.exit_code == 1, done.output
    assert all(char == "\n" or char.isprintable() for char in done.output)
    assert "\\x1b]0;t\\x07[red]x[/red]\\u202e\\x9b2J" in done.output
