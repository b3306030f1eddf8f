"""Interactions of one partition for the tests of hours, and what a flush publishes, read back."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson

from schemas.avro import Codec
from schemas.envelope import Consumed, Outgoing
from schemas.records import CampaignHour, InteractionCompleted
from schemas.releases import FileSchemaIds
from schemas.topics import CAMPAIGN_HOURLY, DEAD_LETTERS
from streams.core.contract import Change, Chunk, Flush
from streams.core.keyed_rows import META, TIME, UNSEALED, KeyedRows
from streams.core.windows.watermark import RawProgress, Watermark
from streams.stages.percentiles.hours import Hours, Policy
from streams.stages.percentiles.window import HOUR, Window
from tests.support.raw_partitions import RawPartitions

CODEC = Codec(FileSchemaIds())
decode, encode = CODEC.decoder(InteractionCompleted), CODEC.encoder(CampaignHour)
encode_interaction, decode_row = CODEC.encoder(InteractionCompleted), CODEC.decoder(CampaignHour)

MINUTE = 60_000
TEN = 1_795_255_200_000 // HOUR * HOUR  # ms: an hour that starts
LIVES = count(1)
POLICY = Policy(allowed_lateness=5 * MINUTE, retention=2 * HOUR, exact_values=100)


def hours(
    partition: int, stored: dict[bytes, bytes], policy: Policy = POLICY, raw: RawProgress | None = None
) -> KeyedRows[Any, Any, Window]:
    """Return the core of a partition."""
    rule = Hours(policy, decode=decode, alike=CODEC.alike(InteractionCompleted), encode=encode)
    return KeyedRows(partition, stored, rule=rule, time=Watermark(partition, raw or RawProgress()), life=next(LIVES))


@dataclass
class Partition:
    """A partition of interactions, its changelog, and the worker that has it.

    Interactions arrive when they were completed, late ones with the latest before them; the progress of their raw
    partition is told with each.
    """

    policy: Policy = POLICY
    changelog: dict[bytes, bytes] = field(default_factory=dict)
    log: list[Consumed] = field(default_factory=list)
    now: float = TEN / 1000
    raw: RawPartitions = field(default_factory=RawPartitions)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start from the changelog, as after a kill."""
        self.hours = hours(7, dict(self.changelog), self.policy, self.raw.told)

    def record(
        self, minute: float, *, campaign: str = "sales", raw: int = 0, handle: float = 60.0, wait: float = 5.0
    ) -> Consumed:
        """Append the next interaction of a raw partition, completed `minute` after TEN."""
        at = TEN + round(minute * MINUTE)
        value = encode_interaction(InteractionCompleted(None, campaign, handle, wait, at))
        record = Consumed(len(self.log), value, headers=self.raw.event(raw, at))
        self.log.append(record)
        self.raw.tell(raw, record.offset)
        return record

    def silent(self, raw: int, minute: float) -> None:
        """Tell that nothing more came from a raw partition until a time of the broker's clock."""
        self.raw.tell(raw, len(self.log) - 1, TEN + round(minute * MINUTE))

    @property
    def watermark(self) -> int:
        """What is stored of it."""
        times = orjson.loads(self.changelog[META])["time"], orjson.loads(self.changelog.get(TIME, b"{}"))
        reached: int = max(time.get("reached", 0) for time in times)
        return reached

    @property
    def stored(self) -> set[tuple[str, int]]:
        """The hours that are stored."""
        return {tuple(orjson.loads(key)) for key in self.changelog if key[:1] not in {META, TIME, UNSEALED}}

    def fold(self, *records: Consumed) -> int:
        return self.hours.fold(Chunk("completed", 7, records))

    def flush(self, passed: float = 1.0) -> Flush:
        """Take a flush `passed` seconds after the one before. Nothing of it is stored yet."""
        self.now += passed
        return self.hours.flush(self.now, seal=True)

    def store(self, changes: list[Change]) -> None:
        for change in changes:
            if change.value is None:
                self.changelog.pop(change.key, None)
            else:
                self.changelog[change.key] = change.value

    def write(self, passed: float = 1.0) -> list[CampaignHour]:
        """Flush, store all of it, and return the rows."""
        flush = self.flush(passed)
        self.store(flush.state + flush.seal)
        return rows(flush)


def rows(flush: Flush) -> list[CampaignHour]:
    """Return the rows that a flush publishes."""
    return [decode_row(output.value or b"") for output in flush.outputs if output.topic == CAMPAIGN_HOURLY.name]


def dead(flush: Flush) -> list[Outgoing]:
    """Return the dead letters that a flush publishes."""
    return [output for output in flush.outputs if output.topic == DEAD_LETTERS.name]
