import re
from dataclasses import dataclass, replace
from math import inf, nan

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from influxdb_client import Point, WritePrecision

from schemas.records import CampaignHour, Summary
from streams.stages.influx import points

HANDLE = Summary(p50=312.0, p90=640.5, p95=801.25, min=3.0, max=4000.0, mean=350.0)
WAIT = Summary(p50=0.0, p90=1e22, p95=5e-324, min=0.0, max=1e22, mean=4.0)
ROW = CampaignHour("sales", 1_795_251_600_000, 42, HANDLE, WAIT, revision=3, final=False, exact=True)

campaign_ids = st.text(st.one_of(st.sampled_from("\\\\,= \"%\n\r\t\0'#"), st.characters()))


@dataclass(frozen=True)
class Parsed:
    measurement: str
    tags: dict[str, str]
    fields: dict[str, str | int | float]
    seconds: int


def split_as_influxd(body: str) -> list[str]:
    """As influxd finds the lines of a body: a backslash makes a pair with whatever follows it."""
    lines, start, at, quoted, fields, equals, commas = [], 0, 0, False, False, 0, 0
    while at < len(body):
        char = body[at]
        if char == "\\" and at + 2 < len(body):
            at += 2
            continue
        if char == "\n" and not quoted:
            lines.append(body[start:at])
            start, fields, equals, commas = at + 1, False, 0, 0
        elif char == " ":
            fields = True
        elif fields and char == '"' and equals > commas:
            quoted = not quoted
        elif fields and not quoted:
            equals, commas = equals + (char == "="), commas + (char == ",")
        at += 1
    return [*lines, body[start:]]


def parse(line: str) -> Parsed:
    """By the letter of the line protocol reference: a backslash escapes a separator, else it stands for itself."""
    measurement, at = scan(line, 0, ", ")
    tags: dict[str, str] = {}
    while line[at] == ",":
        key, at = scan(line, at + 1, ",= ")
        assert line[at] == "="
        tags[key], at = scan(line, at + 1, ",= ")
        assert key
        assert tags[key]
        assert line[at] in ", "
    rest = re.fullmatch(r" (\S+) (-?\d+)", line[at:])
    assert rest
    return Parsed(measurement, tags, dict(map(field, rest[1].split(","))), int(rest[2]))


def scan(line: str, at: int, stops: str) -> tuple[str, int]:
    found = ""
    while line[at] not in stops:
        assert line[at] not in "\n\r"
        at += line[at] == "\\" and line[at + 1] in ",= "
        found, at = found + line[at], at + 1
    return found, at


def field(text: str) -> tuple[str, str | int | float]:
    found = re.fullmatch(r'(\w+)=(?:"([^"\\]*)"|(-?\d+)i|(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?))', text)
    assert found
    name, string, integer, number = found.groups()
    return name, string if string is not None else int(integer) if integer else float(number)


def test_a_row_is_one_point() -> None:
    assert parse(points.line(ROW)) == Parsed(
        "cxone_metrics",
        {"campaign_id": "sales"},
        {
            "hour_bucket": "2026-11-21T09:00:00Z",
            "count": 42,
            "p50_handle": 312.0,
            "p90_handle": 640.5,
            "p95_handle": 801.25,
            "p50_wait": 0.0,
            "p90_wait": 1e22,
            "p95_wait": 5e-324,
        },
        1_795_251_600,
    )


def test_count_is_an_integer_and_percentiles_are_floats_whatever_their_values() -> None:
    fields = parse(points.line(ROW)).fields

    assert {name: type(value) for name, value in fields.items()} == {
        "hour_bucket": str,
        "count": int,
        **dict.fromkeys(("p50_handle", "p90_handle", "p95_handle", "p50_wait", "p90_wait", "p95_wait"), float),
    }


@pytest.mark.parametrize("campaign_id", ["sales", "sales, north = 'best' \"1\"", "Verkäufe 😀", r"DOMAIN\sales"])
def test_the_official_client_says_the_same_where_it_is_right(campaign_id: str) -> None:
    fields: dict[str, str | int | float] = {"hour_bucket": "2026-11-21T09:00:00Z", "count": 42}
    for name in ("p50", "p90", "p95"):
        fields |= {f"{name}_handle": getattr(HANDLE, name), f"{name}_wait": getattr(WAIT, name)}
    official = Point.from_dict(
        {"measurement": "cxone_metrics", "tags": {"campaign_id": campaign_id}, "fields": fields, "time": 1_795_251_600},
        WritePrecision.S,
    )

    assert parse(points.line(replace(ROW, campaign_id=campaign_id))) == parse(official.to_line_protocol())


@given(st.lists(campaign_ids, min_size=1, max_size=5))
@example([r"\ \=" + '"', "x"])  # swallows the next line when the backslashes are left as they are
@example(["", "%", "%25", "\\", "\\\\", "\\%5C", "\n", "\\n", "\ud83d\ude00", "😀"])
def test_any_ids_come_back_from_one_body_one_point_each(campaign_ids: list[str]) -> None:
    body = "\n".join(points.line(replace(ROW, campaign_id=campaign_id)) for campaign_id in campaign_ids)

    read = split_as_influxd(body.encode().decode())

    assert [points.campaign_id(parse(line).tags["campaign_id"]) for line in read] == campaign_ids


@given(campaign_ids)
def test_a_tag_can_be_turned_back_into_its_id(campaign_id: str) -> None:
    assert points.campaign_id(points.campaign_tag(campaign_id)) == campaign_id


@pytest.mark.parametrize(
    ("campaign_id", "tag"),
    [
        ("sales, north = \"best\" 'x' 😀", "sales, north = \"best\" 'x' 😀"),
        (r"DOMAIN\sales", r"DOMAIN\sales"),
        ("sales\\", "sales%5C"),
        ("a\\\\", "a\\%5C"),
        (r"a\ b", "a%5C b"),
        ("100 %", "100 %25"),
        ("a\nb\r\tc\0\x7f", "a%0Ab%0D%09c%00%7F"),
        ("\ud800", "%ED%A0%80"),
        ("", "%"),
    ],
)
def test_a_tag_is_the_id_save_for_what_line_protocol_cannot_carry(campaign_id: str, tag: str) -> None:
    assert points.campaign_tag(campaign_id) == tag


@pytest.mark.parametrize("value", [nan, inf, -inf])
@pytest.mark.parametrize("name", ["p50", "p90", "p95"])
@pytest.mark.parametrize("duration", ["handle", "wait"])
def test_a_percentile_without_notation_is_refused_not_left_out(value: float, name: str, duration: str) -> None:
    summary = replace(getattr(ROW, duration), **{name: value})

    with pytest.raises(ValueError, match="finite numbers only"):
        points.line(replace(ROW, **{duration: summary}))


@given(st.integers(-(2**63), 2**63 - 1))
@example(9_223_372_037_000)
@example(-9_223_372_037_000)
def test_an_hour_is_a_point_or_refused_with_a_reason(hour_start: int) -> None:
    seconds = hour_start // 1000
    if abs(seconds) <= 9_223_372_036:
        assert parse(points.line(replace(ROW, hour_start=hour_start))).seconds == seconds
    else:
        with pytest.raises(ValueError, match="years 1677 to 2262"):
            points.line(replace(ROW, hour_start=hour_start))
