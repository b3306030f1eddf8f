"""Points of any campaign, written to the real influxd and read back with Flux."""

import random
from dataclasses import replace
from itertools import product

from connectors.sinks.influx import InfluxWriter
from schemas.records import CampaignHour, Summary
from streams.stages.influx import points
from tests.influxd.conftest import Influxd

HANDLE = Summary(p50=312.0, p90=640.5, p95=801.25, min=3.0, max=4000.0, mean=350.0)
WAIT = Summary(p50=0.0, p90=1e22, p95=5e-324, min=0.0, max=1e22, mean=4.0)
ROW = CampaignHour("sales", 1_795_251_600_000, 42, HANDLE, WAIT, revision=3, final=False, exact=True)


def awkward_ids() -> list[str]:
    dice = random.Random(51)
    short = ("".join(chars) for length in range(5) for chars in product('\\,= "', repeat=length))
    long = (
        "".join(dice.choices("\\\\\\,= \"'a#%\n\r\t\0é😀\u2028\ufeff\x85", k=dice.randint(5, 256))) for _ in range(1000)
    )
    single = (f"{chr(code)}{tail}" for code in range(0x300) for tail in ("", "x"))
    return list(dict.fromkeys([*short, *long, *single, "\ud800", "\ud83d\ude00", "%25"]))


async def test_every_id_is_a_series_of_its_own(influxd: Influxd) -> None:
    ids, settings = awkward_ids(), influxd.bucket()
    writer = InfluxWriter(settings)

    assert await writer.write([points.line(replace(ROW, campaign_id=ids[i], count=i)) for i in range(len(ids))]) == []
    await writer.close()

    read = influxd.points(settings.bucket)
    assert {points.campaign_id(tag): fields["count"] for (tag, _), fields in read.items()} == {
        campaign_id: str(i) for i, campaign_id in enumerate(ids)
    }
    assert len(read) == len(ids)


async def test_fields_keep_their_values_and_types(influxd: Influxd) -> None:
    settings = influxd.bucket()
    writer = InfluxWriter(settings)
    await writer.write([points.line(ROW)])
    await writer.close()

    types = {}
    for field in influxd.points(settings.bucket)["sales", 1_795_251_600]:
        all_time = f'from(bucket: "{settings.bucket}") |> range(start: 0, stop: 2200-01-01T00:00:00Z)'
        datatypes, header, values = influxd.flux(f'{all_time} |> filter(fn: (r) => r._field == "{field}")', "datatype")
        row = dict(zip(header, zip(datatypes, values, strict=True), strict=True))
        assert row["_measurement"][1] == "cxone_metrics"
        assert row["_time"][1] == "2026-11-21T09:00:00Z"
        types[field] = row["_value"]

    numbers = {name: float(value) for name, (datatype, value) in types.items() if datatype == "double"}
    assert types["count"] == ("long", "42")
    assert types["hour_bucket"] == ("string", "2026-11-21T09:00:00Z")
    assert numbers == {
        "p50_handle": 312.0,
        "p90_handle": 640.5,
        "p95_handle": 801.25,
        "p50_wait": 0.0,
        "p90_wait": 1e22,
        "p95_wait": 5e-324,
    }
