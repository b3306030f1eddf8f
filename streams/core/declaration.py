"""What a stage says of itself, once: the rest (its group, its changelogs, who reads and writes a topic) follows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.topics.dead_letters import DEAD_LETTERS
from schemas.topics.event_time import EVENT_TIME
from schemas.topics.spec import CHANGELOG_CONFIG, Cleanup, TopicSpec
from streams.core.state_format import Migration


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """State that a stage keeps.

    Args:
        name: of the table; its changelog is called after it.
        key: of the changelog's records, for a reader.
        holds: what they are, for a reader.
        version: of their form; raised with every change of it. Workers of an older release then refuse what those of a
            newer one have written, also in the middle of an upgrade.
        migrations: as of `StateFormat`.
        offsets: whether offsets of the stage's own topic are in it: state is refused then when that topic was made
            again. False for rows, which hold source positions alone.
    """

    name: str
    key: str
    holds: str
    version: int = 1
    migrations: Mapping[int, Migration] = field(default_factory=dict, hash=False)
    offsets: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One stage.

    Args:
        name: as on the command line, with hyphens; its folder has underscores instead.
        reads: the topic whose partitions are shared among workers.
        beside: topics that are read with it; they have as many partitions, and a worker has the same ones of each.
        behind: the raw topic that what it reads is made from: its event time says what is final, and without it nothing
            is ever too late or forgotten.
        hears: topics that every worker reads all of, beside the partitions that it has of the others.
        writes: the topics of its records. The dead letters are every stage's and are not named.
        tables: what it keeps.
        into: the system that it writes to, if that is not Kafka alone.
    """

    name: str
    reads: TopicSpec
    beside: tuple[TopicSpec, ...] = ()
    behind: TopicSpec | None = None
    hears: tuple[TopicSpec, ...] = ()
    writes: tuple[TopicSpec, ...] = ()
    tables: tuple[Table, ...] = ()
    into: str | None = None

    @property
    def group(self) -> str:
        """The consumer group, and the id of the Faust app."""
        return f"cxone-{self.name}"

    @property
    def sources(self) -> tuple[TopicSpec, ...]:
        return self.reads, *self.beside

    def offsets_of(self, table: Table) -> frozenset[str]:
        """Return the topics whose offsets are in a table: made again, they would be taken for what they were."""
        positions = self.reads.positions_of or self.reads.name
        return frozenset({positions, self.reads.name} if table.offsets else {positions})

    @property
    def follows(self) -> tuple[TopicSpec, ...]:
        """The topics that every worker reads all of, from their beginning."""
        return self.hears if self.behind is None else (*self.hears, EVENT_TIME)

    @property
    def touches(self) -> tuple[TopicSpec, ...]:
        """All topics that hold it up when they are not well."""
        return *self.sources, *self.follows, *self.writes, *self.changelogs, DEAD_LETTERS

    @property
    def changelogs(self) -> tuple[TopicSpec, ...]:
        """The topics that Faust restores the tables from."""
        return tuple(
            TopicSpec(
                name=f"{self.group}-{table.name}-changelog",
                key=table.key,
                record=table.holds,
                partitions=self.reads.partitions,
                cleanup=Cleanup.COMPACT,
                config=CHANGELOG_CONFIG,
            )
            for table in self.tables
        )
