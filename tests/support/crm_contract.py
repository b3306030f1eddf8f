"""What every CRM promises that the stage relies on: held to it are the adapter, over HTTP, and the fake."""

from typing import Protocol

import pytest

from connectors.errors import Misconfigured, SinkError, Unavailable
from connectors.sinks.crm import Crm, Row


class World(Protocol):
    """A CRM that honours keys, and the way to it."""

    crm: Crm

    def taken(self) -> list[Row]:
        """Return what the CRM has, in order."""

    def refuse(self, external_id: str) -> None:
        """Refuse messages of a conversation as bad from now on."""

    def fail(self, error: type[SinkError] | None) -> None:
        """Fail so from now on; None is well again."""


def row(external_id: str, text: str = "hello") -> Row:
    return {
        "external_id": external_id,
        "fingerprint": None,
        "last_message": text,
        "queued_at": "2026-11-21T09:00:00.000Z",
    }


class CrmContract:
    """Subclasses have a fixture `world`."""

    async def test_rows_are_taken_in_order(self, world: World) -> None:
        rows = [row("a", "Grüße \u2028 \0 \U0001f600"), row("b"), row("a", "again")]

        assert await world.crm.post(rows, "k") is None

        assert world.taken() == rows

    async def test_a_key_that_comes_again_is_taken_once(self, world: World) -> None:
        for _ in range(3):
            assert await world.crm.post([row("a")], "k") is None
        assert await world.crm.post([row("a")], "other") is None

        assert world.taken() == [row("a"), row("a")]

    async def test_of_what_is_refused_nothing_is_taken(self, world: World) -> None:
        world.refuse("b")

        words = await world.crm.post([row("a"), row("b")], "k")

        assert words is not None
        assert "b" in words
        assert world.taken() == []
        assert await world.crm.post([row("a")], "k-1") is None
        assert world.taken() == [row("a")]

    @pytest.mark.parametrize("error", [Unavailable, Misconfigured])
    async def test_a_failure_is_over_when_it_is_over(self, world: World, error: type[SinkError]) -> None:
        world.fail(error)
        with pytest.raises(error):
            await world.crm.post([row("a")], "k")

        world.fail(None)

        assert await world.crm.post([row("a")], "k") is None
        assert world.taken() == [row("a")]
