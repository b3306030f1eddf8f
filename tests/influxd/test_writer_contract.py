"""What `InfluxWriter` promises, on the real influxd and on the imitation that other tests may trust."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from connectors.errors import Misconfigured
from connectors.settings import InfluxSettings
from connectors.sinks.influx import InfluxWriter
from tests.influxd.conftest import InfluxDB

GOOD, UNPARSABLE, NOT_A_NUMBER, CONFLICT = "1.5", "abc", "NaN", '"text"'


@asynccontextmanager
async def writing_to(settings: InfluxSettings) -> AsyncIterator[InfluxWriter]:
    writer = InfluxWriter(settings)
    yield writer
    await writer.close()


def line(campaign: str, value: str = GOOD, seconds: int = 1_795_251_600) -> str:
    return f"cxone_metrics,campaign_id={campaign} v={value} {seconds}"


async def test_lines_that_are_taken_are_stored(influxdb: InfluxDB) -> None:
    settings = influxdb.bucket()

    async with writing_to(settings) as writer:
        assert await writer.write([line("a", "1.5"), line("b", "2.5"), line("a", "3.5", 1_795_255_200)]) == []

    assert influxdb.points(settings.bucket) == {
        ("a", 1_795_251_600): {"v": "1.5"},
        ("b", 1_795_251_600): {"v": "2.5"},
        ("a", 1_795_255_200): {"v": "3.5"},
    }


async def test_nothing_to_write_is_no_error(influxdb: InfluxDB) -> None:
    settings = influxdb.bucket()

    async with writing_to(settings) as writer:
        assert await writer.write([]) == []

    assert influxdb.points(settings.bucket) == {}


async def test_a_point_written_again_is_replaced(influxdb: InfluxDB) -> None:
    settings = influxdb.bucket()

    async with writing_to(settings) as writer:
        for value in ("1.5", "2.5", "2.5"):
            assert await writer.write([line("a", value)]) == []

    assert influxdb.points(settings.bucket) == {("a", 1_795_251_600): {"v": "2.5"}}


@pytest.mark.parametrize("bad", [UNPARSABLE, NOT_A_NUMBER, CONFLICT])
@pytest.mark.parametrize("at", range(5))
async def test_a_bad_line_costs_only_itself(influxdb: InfluxDB, bad: str, at: int) -> None:
    settings = influxdb.bucket()
    lines = [line(f"c{i}") for i in range(5)]
    lines[at] = line("bad", bad)

    async with writing_to(settings) as writer:
        await writer.write([line("first")])  # v is a float from now on
        (refused,) = await writer.write(lines)

    assert refused.index == at
    assert ("field type conflict" if bad == CONFLICT else f"unable to parse '{line('bad', bad)}'") in refused.reason
    assert {campaign for campaign, _ in influxdb.points(settings.bucket)} == {
        "first",
        *(f"c{i}" for i in range(5) if i != at),
    }


async def test_a_point_outside_the_retention_costs_only_itself(influxdb: InfluxDB) -> None:
    settings, now = influxdb.bucket(retention=3600), int(time.time())

    async with writing_to(settings) as writer:
        (refused,) = await writer.write([line("a", seconds=now), line("b", seconds=now - 7200), line("c", seconds=now)])

    assert refused.index == 1
    assert "outside retention policy" in refused.reason
    assert {campaign for campaign, _ in influxdb.points(settings.bucket)} == {"a", "c"}


@pytest.mark.parametrize("bad", [UNPARSABLE, CONFLICT])
async def test_every_line_may_be_refused(influxdb: InfluxDB, bad: str) -> None:
    settings = influxdb.bucket()

    async with writing_to(settings) as writer:
        await writer.write([line("first")])
        refused = await writer.write([line(f"c{i}", bad) for i in range(7)])

    assert [refusal.index for refusal in refused] == list(range(7))
    assert {campaign for campaign, _ in influxdb.points(settings.bucket)} == {"first"}


@pytest.mark.parametrize("seed", range(5))
async def test_any_mixture_is_sorted_out(influxdb: InfluxDB, seed: int) -> None:
    dice, settings, now = random.Random(seed), influxdb.bucket(retention=3600), int(time.time())
    kinds = dice.choices([GOOD, UNPARSABLE, CONFLICT, "expired"], weights=[90, 2, 4, 4], k=300)
    lines = [
        line(f"c{i}", seconds=now - 7200) if kind == "expired" else line(f"c{i}", kind, seconds=now)
        for i, kind in enumerate(kinds)
    ]

    async with writing_to(settings) as writer:
        await writer.write([line("first", seconds=now)])
        refused = await writer.write(lines)

    assert [refusal.index for refusal in refused] == [i for i, kind in enumerate(kinds) if kind != GOOD]
    assert {campaign for campaign, _ in influxdb.points(settings.bucket)} == {
        "first",
        *(f"c{i}" for i, kind in enumerate(kinds) if kind == GOOD),
    }


@pytest.mark.parametrize("bad", [UNPARSABLE, CONFLICT])
@pytest.mark.parametrize("at", range(4))
async def test_the_later_of_two_points_wins_though_parts_are_written_again(
    influxdb: InfluxDB, bad: str, at: int
) -> None:
    settings = influxdb.bucket()
    lines = [line("a", "1.5"), line("a", "2.5"), line("a", "3.5")]
    lines.insert(at, line("bad", bad))

    async with writing_to(settings) as writer:
        await writer.write([line("a", "0.5")])
        await writer.write(lines)

    assert influxdb.points(settings.bucket) == {("a", 1_795_251_600): {"v": "3.5"}}


@pytest.mark.parametrize(
    ("change", "words", "advice"),
    [
        ({"token": SecretStr("tok-wrong")}, "unauthorized access", "INFLUX_TOKEN"),
        ({"bucket": "nowhere"}, 'bucket "nowhere" not found', "INFLUX_BUCKET"),
        ({"org": "nobody"}, 'organization name "nobody" not found', "INFLUX_ORG"),
    ],
)
async def test_what_a_person_must_change_is_said(
    influxdb: InfluxDB, change: dict[str, object], words: str, advice: str
) -> None:
    async with writing_to(influxdb.bucket().model_copy(update=change)) as writer:
        with pytest.raises(Misconfigured, match=f"{words}.*{advice}") as caught:
            await writer.write([line("a")])

    assert "tok-" not in str(caught.value)


async def test_a_token_without_the_right_to_write_is_said(influxdb: InfluxDB) -> None:
    settings = influxdb.bucket().model_copy(update={"token": SecretStr(influxdb.read_only_token)})

    async with writing_to(settings) as writer:
        with pytest.raises(Misconfigured, match=r"insufficient permissions for write.*the right to write"):
            await writer.write([line("a")])
