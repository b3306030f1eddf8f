"""Rules from YAML: what is written, what is filled in, and what is wrong is told where."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streams.stages.alerts
from streams.stages.alerts.rules import EACH, TOTAL, RulesError, parse

DEFAULT = Path(streams.stages.alerts.__path__[0]) / "default.yaml"


def test_the_shipped_rules_are_those_of_the_source_document() -> None:
    handle, wait = parse(DEFAULT.read_text())

    assert (handle.metric, handle.threshold, handle.critical_at, handle.clear_below) == (
        "avg_handle_time",
        240,
        360,
        216,
    )
    assert (wait.metric, wait.threshold, wait.critical_at, wait.clear_below) == ("avg_wait_time", 90, 135, 81)
    assert {(rule.for_, rule.clear_for, rule.min_interactions) for rule in (handle, wait)} == {(1, 2, 1)}
    assert {(rule.repeat_every, rule.no_data, rule.queues) for rule in (handle, wait)} == {(None, None, TOTAL)}


def one(text: str = "") -> str:
    return f"rules:\n  - name: a\n    metric: events\n    threshold: 10\n{text}"


def test_a_rule_watches_the_queues_that_it_names() -> None:
    (total,), (each,), (some,) = (
        parse(one(text)) for text in ("", "    queues: each\n", "    queues: [sales, 'a|b']\n")
    )

    assert (total.watches(""), total.watches("sales")) == (True, False)
    assert (each.watches(""), each.watches("sales"), each.queues) == (False, True, EACH)
    assert (some.watches(""), some.watches("a|b"), some.watches("other")) == (False, True, False)


def test_a_rule_that_changes_is_another() -> None:
    texts = ["", "    for: 2\n", "    queues: each\n", "    queues: [b, a]\n", "    critical_at: 11\n"]

    digests = [parse(one(text))[0].digest for text in texts]

    assert len(set(digests)) == len(texts)
    assert parse(one("    queues: [a, b]\n"))[0].digest == parse(one("    queues: [b, a]\n"))[0].digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules: [", "is not YAML"),
        ("[]", "the file:"),
        ("rules: 1", "rules:"),
        (one("    treshold: 1\n"), "rules.0.treshold: is not a key. Expected one of: name, metric, threshold"),
        (one("    for: 0\n"), "rules.0.for"),
        (one("    for: yes\n"), "rules.0.for"),
        (one("    critical_at: 9\n"), "critical_at must not be below threshold"),
        (one("    clear_below: 11\n"), "clear_below must not be above threshold"),
        (one("    queues: some\n"), "rules.0.queues"),
        (one("    queues: []\n"), "rules.0.queues"),
        ("rules:\n  - {name: a, metric: mood, threshold: 1}", "rules.0.metric"),
        ("rules:\n  - {name: a, metric: events, threshold: yes}", "rules.0.threshold: must be a finite number"),
        ("rules:\n  - {name: a, metric: events, threshold: .inf}", "rules.0.threshold: must be a finite number"),
        ("rules:\n  - {name: A B, metric: events, threshold: 1}", "rules.0.name"),
        (one() + one().removeprefix("rules:\n"), "the name a is there twice"),
    ],
)
def test_what_is_wrong_is_told_where(text: str, words: str) -> None:
    with pytest.raises(RulesError) as wrong:
        parse(text)

    assert words in str(wrong.value)


@given(st.text())
def test_any_text_is_rules_or_an_error(text: str) -> None:
    with suppress(RulesError):
        parse(text)
