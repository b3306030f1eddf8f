"""What is told of raw partitions, when, and what is heard of it."""

from collections.abc import Iterable, Mapping, Sequence

import pytest
from prometheus_client import REGISTRY

from connectors.errors import ConnectorError, PublishError
from schemas.avro import Codec
from schemas.envelope import Outgoing
from schemas.records import EventTimeProgress
from schemas.releases import FileSchemaIds
from schemas.topics import EVENT_TIME
from streams.core.contract import Flush
from streams.core.event_time import EventTime
from streams.runtime.event_time import HEARTBEAT, UNTOLD, EventTimeHearer, EventTimeTeller
from streams.runtime.schemas import StageCodec

CODEC = Codec(FileSchemaIds())
encode, decode = CODEC.encoder(EventTimeProgress), CODEC.decoder(EventTimeProgress)
NOON = 1_795_262_400_000
IDLE = 60_000


class Log:
    """The topic of event time: it stamps what it takes with the broker's clock."""

    def __init__(self) -> None:
        self.now, self.clock = NOON, 0
        self.records: list[Outgoing] = []
        self.away = False

    async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]:
        if self.away:
            raise PublishError("given up")
        self.records += records
        if records:
            self.clock = self.now
        return {}


class Raw:
    """Raw partitions of a worker: 0 and 1 of three."""

    def __init__(self) -> None:
        self.owned_in: int | None = 5
        self.time = {0: EventTime(IDLE), 1: EventTime(IDLE)}
        self.caught_up = dict.fromkeys(self.time, False)
        self.mark = 0
        self.end = {0: 10, 1: 0}

    def generation(self) -> int | None:
        return self.owned_in

    def partitions(self) -> int | None:
        return 3

    def times(self) -> Mapping[int, EventTime]:
        return self.time

    def read_to_end(self, partition: int) -> tuple[int, bool]:
        return self.mark, self.caught_up[partition]

    def ends(self) -> Mapping[int, int]:
        return self.end


class Rig:
    def __init__(self) -> None:
        self.log, self.raw, self.now = Log(), Raw(), 0.0
        self.teller = EventTimeTeller("raw", "completed", raw=self.raw, publisher=self.log, encode=encode)

    def flushed(self, passed: int, offsets: Mapping[tuple[str, int], int] = {}, *, partition: int = 0) -> None:
        self.teller.delivered({partition: Flush(event_time=(passed, passed - 1))}, offsets)

    async def told(self, seconds: float = 1.0) -> list[EventTimeProgress]:
        """Let time go on; a fetch of each partition is answered meanwhile. Return what is told then."""
        self.now += seconds
        self.log.now += int(1000 * seconds)
        self.raw.mark += 1
        before = len(self.log.records)
        await self.teller.tell(self.now)
        return [decode(record.value or b"") for record in self.log.records[before:]]


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_what_is_with_the_broker_is_told(rig: Rig) -> None:
    await rig.told()
    rig.flushed(NOON, {("completed", 1): 40, ("completed", 0): 12, ("cxone.dead-letters", 2): 99})

    (progress,) = await rig.told()

    assert progress == EventTimeProgress("raw", 0, 3, "completed", NOON, NOON - 1, False, [12, 40])
    (record,) = rig.log.records
    assert (record.topic, record.key) == (EVENT_TIME.name, b"raw|0|completed")


async def test_what_an_earlier_owner_wrote_lies_before_the_ends(rig: Rig) -> None:
    rig.raw.caught_up[0] = True

    (progress,) = await rig.told()

    assert progress.reached == [9, -1]


async def test_where_kafka_does_not_say_the_ends_they_are_asked_for_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends() -> Mapping[int, int]:
        raise ConnectorError("a partition has no leader")

    rig.raw.caught_up[0] = True
    with monkeypatch.context() as without_leader:
        without_leader.setattr(rig.raw, "ends", ends)
        assert await rig.told() == []

    assert len(await rig.told()) == 1


async def test_nothing_is_told_without_owning_and_all_anew_with_the_next_owner(rig: Rig) -> None:
    await rig.told()
    rig.flushed(NOON, {("completed", 0): 50})
    rig.raw.owned_in = None
    assert await rig.told() == []

    rig.raw.owned_in, rig.raw.end = 6, {0: 80}
    assert await rig.told() == [], "what was written is not known to be all that was read"
    rig.flushed(NOON + 1)

    (progress,) = await rig.told()
    assert (progress.passed, progress.reached) == (NOON + 1, [79])


async def test_the_same_is_told_again_only_after_a_while(rig: Rig) -> None:
    await rig.told()
    rig.flushed(NOON)
    assert len(await rig.told()) == 1

    assert await rig.told(HEARTBEAT - 1) == []
    assert len(await rig.told(1)) == 1


async def test_time_goes_on_by_the_brokers_clock_where_all_is_read_and_nothing_comes(rig: Rig) -> None:
    rig.raw.time[0].take(NOON - 5, NOON)
    rig.raw.caught_up[0] = True
    passed = [progress.passed for _ in range(40) for progress in await rig.told(2)]

    assert passed[0] == NOON - 5
    silent = [at for at in passed if at != NOON - 5]
    assert silent, "it went on"
    assert silent == sorted(silent)
    assert min(silent) >= NOON + IDLE
    assert max(silent) < rig.log.now, "the clock of an answer in flight is not believed"


async def test_the_clock_stands_still_for_a_partition_that_fetches_get_no_answer_for(rig: Rig) -> None:
    rig.raw.time[0].take(NOON - 5, NOON)
    rig.raw.caught_up[0] = True
    await rig.told()
    rig.raw.mark = -1

    for _ in range(100):
        rig.raw.mark -= 1  # which `told` takes back: no answer came
        assert {progress.passed for progress in await rig.told(2)} <= {NOON - 5}


async def test_where_all_is_read_frames_in_hand_do_not_count(rig: Rig) -> None:
    await rig.told()
    rig.flushed(NOON)
    rig.raw.time[0].take(NOON + 60, NOON + 60)  # folded, not written yet

    (progress,) = await rig.told()

    assert progress.passed == NOON


async def test_what_could_not_be_told_is_told_later(rig: Rig) -> None:
    await rig.told()
    rig.flushed(NOON)
    rig.log.away = True
    assert await rig.told() == []
    rig.log.away = False

    assert len(await rig.told(0.1)) == 1


class Following:
    def __init__(self, values: Iterable[bytes]) -> None:
        self._values = values

    async def values(self) -> object:  # an async iterator
        for value in self._values:
            yield value


async def test_the_latest_of_each_raw_partition_is_heard() -> None:
    def progress(raw: int, passed: int, source: str = "raw") -> bytes:
        return encode(EventTimeProgress(source, raw, 2, "completed", passed, passed, False, []))

    hearer = EventTimeHearer(
        Following(
            [progress(0, 1), progress(1, 5), b"no record", progress(0, 2), progress(0, 9, "other"), progress(7, 3)]
        ),
        StageCodec(FileSchemaIds()),
    )
    told = hearer.of("raw", "completed")
    assert told.latest == {}

    await hearer.run()

    assert {raw: progress.passed for raw, progress in told.latest.items()} == {0: 2, 1: 5}
    assert hearer.of("raw", "elsewhere").latest == {}


async def test_no_record_makes_a_topic_have_more_partitions_than_can_be_looked_for() -> None:
    claimed = encode(EventTimeProgress("raw", 0, 2**31 - 1, "completed", NOON, NOON, True, []))
    hearer = EventTimeHearer(Following([claimed]), StageCodec(FileSchemaIds()))
    told = hearer.of("raw", "completed")

    await hearer.run()

    assert told.partitions == 0


class Waiting:
    name = "partials"
    trouble: str | None = None


class Hearing:
    """A stage that waits for raw partitions, and a clock."""

    def __init__(self, partitions: int = 2) -> None:
        self.partitions = partitions
        self.now = 100.0
        self.stage = Waiting()
        self.topic: list[bytes] = []
        self.hearer = EventTimeHearer(Following(self.topic), StageCodec(FileSchemaIds()), clock=lambda: self.now)
        self.hearer.of("raw", "completed")

    async def hear(self, *partitions: int) -> None:
        self.topic[:] = [
            encode(EventTimeProgress("raw", raw, self.partitions, "completed", NOON, NOON, True, []))
            for raw in partitions
        ]
        await self.hearer.run()

    def after(self, seconds: float) -> str | None:
        self.now += seconds
        self.hearer.look(self.stage, "raw", "completed")
        return self.stage.trouble


async def test_the_raw_partition_that_no_worker_tells_of_is_named_and_for_how_long() -> None:
    waiting = Hearing()
    await waiting.hear(0, 1)
    for _ in range(4):
        assert waiting.after(UNTOLD / 4) is None, "whoever died has a successor by then"
        await waiting.hear(0)
    await waiting.hear(0)

    said = waiting.after(5)

    assert said == "nothing becomes final: no worker tells how far raw has come in partition 1, for 65 s"
    labels = {"stage": "partials", "topic": "raw"}
    untold = [
        REGISTRY.get_sample_value("cxone_event_time_untold_seconds", {**labels, "partition": each})
        for each in ("0", "1")
    ]
    assert untold == [5, 65]
    assert REGISTRY.get_sample_value("cxone_event_time_heard_seconds", {**labels, "partition": "1"}) == NOON / 1000

    await waiting.hear(1)
    assert waiting.after(0) is None


async def test_of_many_partitions_some_are_named() -> None:
    waiting = Hearing(partitions=1000)
    await waiting.hear(0)

    assert "17, 18, 19 and 980 others, for 61 s" in str(waiting.after(UNTOLD + 1))


async def test_a_raw_partition_that_was_never_heard_of_is_waited_for_too() -> None:
    waiting = Hearing()
    await waiting.hear(1)
    assert waiting.after(UNTOLD) is None
    await waiting.hear(1)

    assert "in partition 0, for 61 s" in str(waiting.after(1))


def test_where_nobody_tells_anything_that_is_said() -> None:
    waiting = Hearing()
    assert waiting.after(UNTOLD) is None

    assert waiting.after(1) == "nobody tells how far raw has come, for 61 s"
