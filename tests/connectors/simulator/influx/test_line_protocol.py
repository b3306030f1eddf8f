import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.simulator.influx.line_protocol import LineError, Point, parse, parse_line

SEPARATORS = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\="})


def tag(line: str) -> str:
    return dict(parse_line(line, "s").tags)["t"]


def test_a_whole_point() -> None:
    line = r'cxone_metrics,campaign_id=a\,b\ c\=d count=3i,p50=1.5,hour="2026 \"9\"",up=true,n=4u -7'

    assert parse_line(line, "s") == Point(
        "cxone_metrics",
        (("campaign_id", "a,b c=d"),),
        {"count": 3, "p50": 1.5, "hour": '2026 "9"', "up": True, "n": 4},
        -7_000_000_000,
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"a\,b", "a,b"),
        (r"a\ b", "a b"),
        (r"a\=b", "a=b"),
        ('"quoted"', '"quoted"'),
        (r"back\slash", r"back\slash"),
        (r"a\\b", r"a\\b"),  # nothing escapes a backslash
        (r"a\\\,b", r"a\\,b"),
        ("☎️🦊", "☎️🦊"),
        ("a\tb", "a\tb"),
    ],
)
def test_tags_are_unescaped_as_influxd_does(written: str, read: str) -> None:
    assert tag(f"m,t={written} v=1") == read


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("m", "missing fields"),
        ("m ", "missing fields"),
        (",t=a v=1", "missing measurement"),
        ("m,t= v=1", "missing tag value"),
        ("m,t v=1", "missing tag value"),
        ("m,=a v=1", "missing tag key"),
        ("m,t=a=b v=1", "invalid tag format"),
        ("m,t=a,t=b v=1", "duplicate tags"),
        ("m,t=ends\\ v=1", "invalid tag format"),  # the backslash swallows the space
        ("m v", "missing field value"),
        ("m v=", "missing field value"),
        ("m v=,w=1", "missing field value"),
        ("m v=NaN", "invalid boolean"),
        ("m v=inf", "invalid boolean"),
        ("m v=+Inf", "invalid number"),
        ("m v=1e999", "invalid number"),
        ("m v=1,", "missing fields"),
        ("m v=1.5i", "invalid number"),
        ("m v=9223372036854775808i", "out of range"),
        ("m v=abc", "invalid boolean"),
        ('m v="open', "unbalanced quotes"),
        ('m v="a"b', "invalid field format"),
        ("m v\\\\=1", "invalid value"),
        ("m v=1 soon", "bad timestamp"),
        ("m v=1 1.5", "bad timestamp"),
        ("m v=1 1772443800000", "time outside range"),  # milliseconds, where seconds are promised
    ],
)
def test_refuses(line: str, why: str) -> None:
    with pytest.raises(LineError, match=why):
        parse_line(line, "s")


def test_one_bad_line_refuses_the_batch_and_is_named() -> None:
    with pytest.raises(LineError, match="unable to parse 'm v=oops 1': invalid boolean"):
        parse("m v=1 1\nm v=oops 1\nm v=2 2", "s")


def test_passes_over_empty_lines_and_comments() -> None:
    assert [point.time for point in parse("\n# nothing\n  \nm v=1 5\r\nm v=2 6\n", "ns")] == [5, 6]


def test_a_newline_inside_a_quoted_field_is_part_of_it() -> None:
    assert [point.fields for point in parse('m v="a\nb",w=1\nm v=2', "s")] == [{"v": "a\nb", "w": 1.0}, {"v": 2.0}]


def test_refuses_an_unknown_precision() -> None:
    with pytest.raises(LineError, match="precision"):
        parse("m v=1", "h")


@given(st.text(st.characters(exclude_characters="\\\n", exclude_categories=["Cs"]), min_size=1))
def test_every_escaped_tag_without_backslashes_is_read_back(value: str) -> None:
    assert tag(f"m,t={value.translate(SEPARATORS)} v=1 5") == value


@given(st.text(', ="\\\n#\tm1i-.e'))
def test_only_line_errors_escape(text: str) -> None:
    try:
        points = parse(text, "s")
    except LineError:
        return
    assert all(point.measurement and point.fields for point in points)
