"""Somebody in CXone who edits dashboards beside us: one field at a time. No I/O."""

from collections.abc import Sequence
from random import Random
from typing import Any

from connectors.simulator.dashboards.documents import Document

PEOPLE = ("Maria Silva", "Jon Berg", "Aiko Mori")
FIELDS = ("description", "refreshInterval", "yAxisLabel", "note")


class Editor:
    """Thinks up edits, the same for the same seed and documents."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)
        self._number = 0

    def whom(self, names: Sequence[str]) -> str:
        """Return which dashboard is edited."""
        return self._rng.choice(sorted(names))

    def edit(self, document: Document, fields: Sequence[str] = FIELDS) -> tuple[list[str | int], Any, str]:
        """Return an edit of one of `fields`: the path, the new value (no edit has the same twice), and who makes it."""
        self._number += 1
        rng, number = self._rng, self._number
        titles = [widget["title"] for widget in document["widgets"]]
        field = rng.choice([each for each in fields if titles or each in {"description", "note"}] or ["note"])
        by = rng.choice(PEOPLE)
        if field == "description":
            return ["description"], f"edit {number} of {by}", by
        if field == "note":
            return ["tenant", "note"], f"edit {number} of {by}", by
        widget = rng.choice(titles)
        if field == "refreshInterval":
            return ["widgets", widget, "refreshInterval"], 60 + number % 3000, by
        return ["widgets", widget, "visualization", "yAxisLabel"], f"edit {number} of {by}", by
