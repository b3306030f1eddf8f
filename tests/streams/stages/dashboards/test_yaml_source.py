"""Files as people write them, and as nobody should."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.stages.dashboards.yaml_source import MOST_VALUES, Problem, read


def problems(text: str) -> list[str]:
    return list(map(str, read(text, "f.yaml").problems))


def test_values_come_with_their_places() -> None:
    source = read(
        "name: x\nwidgets:\n  - {title: A, n: -3, share: 0.5, shown: true, at: 2026-01-31T08:00:00Z}\n", "f.yaml"
    )

    assert source.problems == []
    widget = {"title": "A", "n": -3, "share": 0.5, "shown": True, "at": "2026-01-31T08:00:00Z"}
    assert source.value == {"name": "x", "widgets": [widget]}
    assert source.places[("widgets", 0, "n")] == (3, 16)


@pytest.mark.parametrize(
    "scalar",
    [
        "on",
        "yes",
        "No",
        "TRUE",
        "12:30",
        "0777",
        "0x1F",
        "0b11",
        "1_000",
        "1e3",
        "0o17",
        "+5",
        ".5",
        ".inf",
        ".NaN",
        "1.",
    ],
)
def test_a_scalar_that_surprises_is_refused(scalar: str) -> None:
    (problem,) = problems(f"name: x\nvalue: {scalar}\n")

    assert problem.startswith(f"f.yaml:2:8: value: `{scalar}` is ")
    assert f'in quotes as "{scalar}"' in problem


@pytest.mark.parametrize("text", ["v: '0777'", 'v: "on"', "v: |\n  12:30", "v: -7d", "v: 3 apples", "v: 10-20"])
def test_what_is_quoted_or_plainly_a_text_is_one(text: str) -> None:
    source = read(text, "f.yaml")

    assert source.problems == []
    assert isinstance(source.value["v"], str)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: `a` is there already, in line 1"),
        ("a:\n", "f.yaml:1:3: a: has no value"),
        ("a: ~\n", "f.yaml:1:4: a: has no value"),
        ("1: x\n", "f.yaml:1:1: `1` is no name: put it in quotes if it is one"),
        ("on: x\n", "f.yaml:1:1: `on` is no name: put it in quotes if it is one"),
        ("[1]: x\n", "f.yaml:1:1: a list or an object is no name: put it in quotes if it is one"),
        ("b: &b {x: 1}\nc:\n  <<: *b\n", "f.yaml:3:3: c: `<<` is no name: put it in quotes if it is one"),
        ("a: !!python/object/apply:os.system [id]\n", "f.yaml:1:4: a: has the tag !!python/object/apply:os.system"),
        ("a: !secret x\n", "f.yaml:1:4: a: has the tag !secret"),
        ("a: &a [*a]\n", "f.yaml:1:4: a[0]: is an alias of what it stands in"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: is no YAML: expected a single document"),
        ("a: {\n", "f.yaml:2:1: is no YAML: while parsing a flow node"),
        ("", "f.yaml:1:1: is empty"),
        ("a: \x07\n", "f.yaml:1:1: is no YAML"),
        ("[" * 5000, "f.yaml:1:1: is no YAML: it is nested too deep"),
        ("[" * 30 + "]" * 30, "f.yaml:1:25: [0]"),
        ('a: "\\Uffffffff"\n', "f.yaml:1"),
    ],
)
def test_what_is_wrong_says_where(text: str, expected: str) -> None:
    found = problems(text)

    assert found
    assert found[0].startswith(expected)


def test_an_alias_bomb_is_refused() -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]

    found = problems("\n".join(["l0: &l0 [x]", *levels]))

    assert len(found) == 1
    assert f"more than {MOST_VALUES:,} values" in found[0]


@settings(max_examples=100)
@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"#%@,\n \t0?~<\\x"), max_size=60) | st.text(max_size=40))
def test_whatever_the_text_it_is_values_or_problems(text: str) -> None:
    source = read(text, "f.yaml")

    assert all(isinstance(problem, Problem) and problem.line >= 1 for problem in source.problems)
    assert source.value is not None or source.problems
