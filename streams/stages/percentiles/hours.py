"""The hours of one partition: folding completed interactions into them, and what each flush has to write."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from schemas.avro import DecodeError
from schemas.dead_letters import dead_letter
from schemas.envelope import Outgoing, Record
from schemas.records import CampaignHour, InteractionCompleted
from schemas.topics import CAMPAIGN_HOURLY, INTERACTIONS_COMPLETED
from streams.core.contract import Change, Chunk, Flush
from streams.core.positions import Positions, source_position
from streams.core.times import END_OF_TIME, LONGEST_DURATION, iso
from streams.stages.percentiles.window import HOUR, STATE_VERSION, Window

STAGE = "percentiles"

META = b""  # key of a partition's own record: which flush is complete, and how far everything is folded

BOUNDS = f"durations lie in 0 to {LONGEST_DURATION:.0f} seconds, times in 1970 to 9999"

TOO_LATE = "too late"
UNDECODABLE = "undecodable"
OUT_OF_RANGE = "out of range"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Of windows. Times in milliseconds."""

    allowed_lateness: int
    retention: int
    idle_after: int
    exact_values: int


class Hours:
    """The windows of one partition of completed interactions.

    A record is folded in once: `positions` holds the highest raw offset folded by raw partition, and records of one
    raw partition come in order (the idempotent producer of `normalise`), so whatever lies at or below it is a replay.
    The watermark is the event time that every raw partition has passed; one that has been silent is not waited for.
    """

    def __init__(
        self,
        partition: int,
        stored: Mapping[bytes, bytes],
        *,
        policy: Policy,
        decode: Callable[[bytes], InteractionCompleted],
        encode: Callable[[CampaignHour], bytes],
    ) -> None:
        self._partition, self._policy, self._decode, self._encode = partition, policy, decode, encode
        meta = orjson.loads(stored.get(META, b"{}"))
        self.positions: Positions = dict(map(tuple, meta.get("positions", ())))
        self._newest: dict[int, int] = dict(map(tuple, meta.get("newest", ())))  # raw partition -> latest event time
        self.watermark: int = meta.get("watermark", 0)
        self._flush: int = meta.get("flush", 0)  # the last that was completed
        self._heard: dict[int, float] = {}  # raw partition -> when it was last heard of, ms
        self._windows: dict[tuple[str, int], Window] = {}
        for key, value in stored.items():
            if key != META:
                window = Window.restored(key, value, self._flush, self.positions)
                self._windows[window.campaign, window.hour] = window
        self._open = {key: window for key, window in self._windows.items() if not window.final}
        # A kill came between writing these windows and knowing their rows published: publish the same rows again.
        self._unpublished = {key: window for key, window in self._windows.items() if window.ahead}
        self._changed: dict[tuple[str, int], Window] = {}
        self._refused: list[Outgoing] = []
        self._fresh: set[int] = set()  # raw partitions heard of since the last flush

    def fold(self, chunk: Chunk) -> int:
        """Fold the records of a chunk into their windows. Returns how many were refused: undecodable or too late."""
        refused_before = len(self._refused)
        positions, newest, windows, changed, decode = (
            self.positions, self._newest, self._windows, self._changed, self._decode,
        )  # fmt: skip
        for record in chunk.records:
            raw, offset = source_position(record)
            if offset <= positions.get(raw, -1):
                continue
            try:
                event = decode(record.value or b"")
            except DecodeError as error:
                self._refuse(record, UNDECODABLE, str(error))
                continue
            positions[raw] = offset  # of an event: what cannot be read may claim to come from anywhere
            at = event.completed_at
            if not (
                0 <= event.handle_time <= LONGEST_DURATION
                and 0 <= event.wait_time <= LONGEST_DURATION
                and 0 <= at < END_OF_TIME
            ):
                self._refuse(record, OUT_OF_RANGE, BOUNDS)
                continue
            if at > newest.get(raw, 0):
                newest[raw] = at
            key = event.campaign_id, at - at % HOUR
            window = windows.get(key)
            if window is None:
                if key[1] + HOUR + self._policy.retention <= self.watermark:
                    self._refuse(record, TOO_LATE, f"its hour {iso(key[1])} is no longer kept")
                    continue
                window = windows[key] = self._open[key] = Window(*key)
            if window.ahead is not None and offset <= window.ahead.get(raw, -1):
                continue
            window.handle.add(event.handle_time)
            window.wait.add(event.wait_time)
            changed[key] = window
            self._fresh.add(raw)
        return len(self._refused) - refused_before

    def flush(self, now: float, *, seal: bool = True) -> Flush:  # noqa: ARG002 - windows go out whole or not at all
        """Return changed and newly final windows with their rows, refusals, and the partition's own record."""
        now_ms = int(now * 1000)
        before = self.watermark
        self._advance(now_ms)
        until = self._final_until(now_ms)
        closed = {key: window for key, window in self._open.items() if window.hour <= until}
        for key, window in closed.items():
            window.final = True
            del self._open[key]
        raised = closed | self._changed
        for window in raised.values():
            window.handle.settle(self._policy.exact_values)
            window.wait.settle(self._policy.exact_values)
            window.revision += 1
        flush = Flush(
            state=[Change(window.key, window.stored(self._flush + 1, self.positions)) for window in raised.values()],
            outputs=[self._publish(window) for window in (self._unpublished | raised).values()] + self._refused,
        )
        if raised or self._refused or self._unpublished or self.watermark > before:
            self._flush += 1
            flush.seal = [Change(META, self._meta()), *self._expired()]
        self._changed, self._unpublished, self._refused = {}, {}, []
        return flush

    def _advance(self, now_ms: int) -> None:
        for raw in self._newest:
            if raw in self._fresh or raw not in self._heard:
                self._heard[raw] = now_ms
        self._fresh.clear()
        if self._newest:
            active = [at for raw, at in self._newest.items() if now_ms - self._heard[raw] < self._policy.idle_after]
            self.watermark = max(self.watermark, min(active) if active else max(self._newest.values()))

    def _final_until(self, now_ms: int) -> int:
        """Return the last hour that is final: by event time, or by the clock when nothing comes to move that."""
        silent = all(now_ms - heard >= self._policy.idle_after for heard in self._heard.values())
        return (max(self.watermark, now_ms) if silent else self.watermark) - HOUR - self._policy.allowed_lateness

    def _expired(self) -> list[Change]:
        """Forget hours that are no longer kept; not one that holds what comes again, or it would be refused."""
        kept = self.watermark - self._policy.retention - HOUR
        reached = self.positions.get
        gone = [
            key
            for key, window in self._windows.items()
            if window.hour <= kept
            and window.final
            and not any(offset > reached(raw, -1) for raw, offset in (window.ahead or {}).items())
        ]
        return [Change(self._windows.pop(key).key, None) for key in gone]

    def _meta(self) -> bytes:
        return orjson.dumps(
            {
                "version": STATE_VERSION,
                "flush": self._flush,
                "positions": list(self.positions.items()),
                "newest": list(self._newest.items()),
                "watermark": self.watermark,
            }
        )

    def _publish(self, window: Window) -> Outgoing:
        key = f"{window.campaign}|{iso(window.hour)}".encode()
        return Outgoing(CAMPAIGN_HOURLY.name, key, self._encode(window.row()))

    def _refuse(self, record: Record, reason: str, detail: str) -> None:
        self._refused.append(
            dead_letter(INTERACTIONS_COMPLETED.name, self._partition, record, stage=STAGE, reason=reason, detail=detail)
        )
