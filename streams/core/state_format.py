"""Which form stored state has, and by how many partitions it is divided: written with it, read before it is used.

A partition's state carries one record of its own under `KEY`:
{"version": 2, "partitions": 12, "topics": {"cxone.raw.messages": "its id"}}. State of an older version is migrated
where the stage says how. What is newer, older without a way, of another number of partitions or of a topic that was
made again is refused, with the way out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from streams.core.contract import Change, StreamsError

KEY = b"!format"  # no stage's own keys begin so

Stored = Mapping[bytes, bytes]
Migration = Callable[[Stored], Stored]


class StateRefusedError(StreamsError):
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
        topics: {topic: id that it has now} of those whose offsets are in the state; without those of which the broker
            does not say.
        migrations: {version: function that makes the next version of what is stored}. A kill may come while what it
            made is written: it has to leave alone what is of the next version already.
    """

    stage: str
    changelog: str
    source: str
    version: int = 1
    partitions: int | None = None
    topics: Mapping[str, str] = field(default_factory=dict)
    migrations: Mapping[int, Migration] = field(default_factory=dict)

    def read(self, stored: Stored, own: bytes | None) -> Stored:
        """Return what is stored of a partition as this version has it: `stored` itself if nothing has to be migrated.

        `own` is the format's record. However much is stored, it is not looked at here.

        Raises:
            StateRefusedError: it cannot be read for what it is.
        """
        values = stored
        if not values:
            return values
        said = self._said(own)
        version = said.get("version", 0)
        if version > self.version:
            raise StateRefusedError(
                f"{self.stage}: the state in {self.changelog} is of version {version}, written by a newer "
                f"cxone-streams than this one, which knows version {self.version}: run the newer one"
            )
        self._check_partitions(said.get("partitions"))
        self._check_topics(said.get("topics", {}))
        while version < self.version:
            if version not in self.migrations:
                raise StateRefusedError(
                    f"{self.stage}: the state in {self.changelog} is of version {version}, and this cxone-streams "
                    f"reads version {self.version}: {self._way_out}"
                )
            values, version = self.migrations[version](values), version + 1
        return values

    def changes(self, stored: Stored, own: bytes | None, read: Stored) -> list[Change]:
        """Return what has to be written before anything else, so that it says `read`: what was migrated, the form."""
        migrated: list[Change] = []
        if read is not stored:
            migrated = [Change(key, value) for key, value in read.items() if stored.get(key) != value]
            migrated += [Change(key, None) for key in stored if key not in read]
        said = self._said(own)  # what the broker does not say now stays known
        said["version"] = self.version
        if self.partitions is not None:
            said["partitions"] = self.partitions
        said["topics"] = said.get("topics", {}) | self.topics
        now = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
        return migrated if own == now else [*migrated, Change(KEY, now)]

    def _said(self, own: bytes | None) -> dict[str, Any]:
        try:
            said: dict[str, Any] = orjson.loads(own or b"{}")
        except orjson.JSONDecodeError:
            raise StateRefusedError(
                f"{self.stage}: what {self.changelog} says of its form is no JSON. {self._way_out}"
            ) from None
        return said

    def _check_partitions(self, partitions: int | None) -> None:
        if partitions is None or self.partitions is None or partitions == self.partitions:
            return
        raise StateRefusedError(
            f"{self.stage}: the state in {self.changelog} was made when {self.source} had {partitions} partitions, and "
            f"now it has {self.partitions}: keys have moved between them. {self._way_out}"
        )

    def _check_topics(self, topics: Mapping[str, str]) -> None:
        for topic, its_id in topics.items():
            if self.topics.get(topic, its_id) != its_id:
                raise StateRefusedError(
                    f"{self.stage}: {topic} was deleted and made again since the state in {self.changelog} was "
                    f"written: its offsets begin anew, and what it brings would pass for replays. {self._way_out}"
                )

    @property
    def _way_out(self) -> str:
        return (
            f"Stop all workers of {self.stage}, delete the topic {self.changelog} and the consumer group "
            f"cxone-{self.stage}, and start again: everything that {self.source} still holds is read anew"
        )
