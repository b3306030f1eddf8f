"""Endpoints with keys in their URLs, which no error repeats."""

import pytest

from connectors.errors import ConfigurationError
from connectors.settings import load
from connectors.sinks.settings import ForwardingSettings

URLS, TOKENS = "DASHBOARDS_FORWARD_URLS", "DASHBOARDS_FORWARD_TOKENS"
FIRST, SECOND = "https://bi.example/push?key=s3cret", "http://127.0.0.1:8000/in"


def test_nobody_is_told_by_default() -> None:
    assert load(ForwardingSettings).endpoints() == []


def test_each_url_has_its_own_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URLS, f"{FIRST}, {SECOND}")
    assert load(ForwardingSettings).endpoints() == [(FIRST, None), (SECOND, None)]

    monkeypatch.setenv(TOKENS, ",t0ken")
    (_, none), (_, token) = load(ForwardingSettings).endpoints()
    assert none is None
    assert token is not None
    assert token.get_secret_value() == "t0ken"
    assert "s3cret" not in repr(load(ForwardingSettings))


@pytest.mark.parametrize(
    ("urls", "tokens", "words"),
    [
        ("https://a.example,http://bi.example/s3cret", "", "number 2 must be encrypted"),
        ("https://s3cret:s3cret@bi.example", "", "number 1 must carry no credentials"),
        (",".join(["https://a.example/s3cret"] * 11), "", "more than 10"),
        ("https://a.example", "s3cret,s3cret", "DASHBOARDS_FORWARD_TOKENS are 2"),
        ("", "s3cret", "DASHBOARDS_FORWARD_URLS are 0"),
        ("https://a.example", "s3cret s3cret", "number 1 holds a character"),
    ],
)
def test_a_wrong_value_is_refused_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, urls: str, tokens: str, words: str
) -> None:
    monkeypatch.setenv(URLS, urls)
    monkeypatch.setenv(TOKENS, tokens)

    with pytest.raises(ConfigurationError, match=words) as raised:
        load(ForwardingSettings)
    assert "s3cret" not in str(raised.value)
