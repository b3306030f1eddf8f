"""Which form stored state has, and by how many partitions it is divided: written with it, read before it is used.

A partition's state carries one record of its own under `KEY`: {"version": 2, "partitions": 12, "origin": [topic, id]}.
State of an older version is migrated where the stage says how. What is newer, older without a way, of another number
of partitions or of a topic that was made again is refused, with the way out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from streams.core.contract import Change

KEY = b"!format"  # no stage's own keys begin with it

Stored = Mapping[bytes, bytes]


class StateRefusedError(Exception):
    """State that this program must not go on with. The text says why, and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFormat:
    """What a stage expects of stored state.

    Args:
        stage: for the words of a refusal.
        changelog: topic of the state.
        source: the topic that the stage reads; its partitions divide the state.
        version: of the values that this program writes.
        partitions: of the source, now; None where the broker does not say.
        origin: the topic that positions in the state are of, and its id now; None where the broker does not say.
        migrations: {version: function that makes the next version of what is stored}.
    """

    stage: str
    changelog: str
    source: str
    version: int = 1
    partitions: int | None = None
    origin: tuple[str, str] | None = None
    migrations: Mapping[int, Callable[[Stored], Stored]] = field(default_factory=dict)

    def read(self, stored: Stored) -> dict[bytes, bytes]:
        """Return what is stored of a partition, as this version has it and without the format's record.

        Raises:
            StateRefusedError: it cannot be read for what it is.
        """
        values = {key: value for key, value in stored.items() if key != KEY}
        if not values:
            return values
        said: dict[str, Any] = orjson.loads(stored.get(KEY, b"{}"))
        version = said.get("version", 0)
        if version > self.version:
            raise StateRefusedError(
                f"{self.stage}: the state in {self.changelog} is of version {version}, written by a newer "
                f"cxone-streams than this one, which knows version {self.version}: run the newer one"
            )
        self._check_partitions(said.get("partitions"))
        self._check_origin(said.get("origin"))
        while version < self.version:
            if version not in self.migrations:
                raise StateRefusedError(
                    f"{self.stage}: the state in {self.changelog} is of version {version}, and this cxone-streams "
                    f"reads version {self.version}: {self._way_out}"
                )
            values, version = dict(self.migrations[version](values)), version + 1
        return values

    def change(self) -> Change:
        """Return what has to be stored beside the state."""
        said: dict[str, Any] = {"version": self.version}
        if self.partitions is not None:
            said["partitions"] = self.partitions
        if self.origin is not None:
            said["origin"] = self.origin
        return Change(KEY, orjson.dumps(said))

    def _check_partitions(self, partitions: int | None) -> None:
        if partitions is None or self.partitions is None or partitions == self.partitions:
            return
        raise StateRefusedError(
            f"{self.stage}: the state in {self.changelog} was made when {self.source} had {partitions} partitions, and "
            f"now it has {self.partitions}: keys have moved between them. {self._way_out}"
        )

    def _check_origin(self, origin: list[str] | None) -> None:
        if origin is None or self.origin is None or tuple(origin) == self.origin:
            return
        raise StateRefusedError(
            f"{self.stage}: {origin[0]} was deleted and made again since the state in {self.changelog} was written: "
            f"its offsets begin anew, and what it brings would pass for replays. {self._way_out}"
        )

    @property
    def _way_out(self) -> str:
        return (
            f"stop all workers of {self.stage}, delete the topic {self.changelog} and the consumer group "
            f"cxone-{self.stage}, and start again: everything that {self.source} still holds is read anew"
        )
