"""No piece of a secret, in any spelling, is left in what is shown."""

import base64
import html
import json
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from connectors.redaction import HIDDEN, SHORTEST_PIECE, Redactor, keys_in, presentable

SECRET = 'AbC/dEf+gH1&<"\\é secret=='

# Each way in which software writes a text into another.
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "PHP's JSON": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "Go's JSON": lambda text: json.dumps(text)[1:-1].replace("&", "\\u0026").replace("<", "\\u003c"),
    "JSON, all escaped": lambda text: "".join(rf"\u{unit:04X}" for unit in _units(text)),
    "percent": lambda text: quote(text, safe=""),
    "percent, small": lambda text: quote(text, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "percent, all escaped": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "a form": quote_plus,
    "HTML": html.escape,
    "HTML, all escaped": lambda text: "".join(f"&#x{ord(char):X};" for char in text),
    "repr": lambda text: repr(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "Basic": lambda text: base64.b64encode(b"user:" + text.encode()).decode(),
    "base64 of JSON": lambda text: base64.b64encode(json.dumps({"x": text}, ensure_ascii=False).encode()).decode(),
}
secrets = st.text(st.sampled_from(string.ascii_letters + string.digits + "/+=-_.~!&<\"'\\ éü\U0001f600"), min_size=8)


def _units(text: str) -> list[int]:
    data = text.encode("utf-16-be")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("outer", ["as it is", "JSON", "PHP's JSON", "percent", "HTML"])
def test_a_secret_is_hidden_however_it_is_written(spelling: str, outer: str) -> None:
    # In base64 of JSON an escape could stand anywhere.
    secret = "AbC/dEf+gH1-secret==" if spelling.startswith("base64 of") else SECRET
    written = SPELLINGS[outer](SPELLINGS[spelling](secret))

    shown = Redactor([SecretStr(secret)])(f"before {written} after")

    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert HIDDEN in shown
    assert len(shown) < len("before  after") + 24  # hidden whole, but for what stands beside it in base64
    assert not _pieces(secret) & _pieces(shown)


@pytest.mark.parametrize("letter", ["%75", "&#117;", "&#x75;"])
def test_a_backslash_keeps_the_escape_that_comes_after_it(letter: str) -> None:
    written = SPELLINGS["JSON, all escaped"](SECRET).replace("u", letter)

    assert Redactor([SecretStr(SECRET)])(written) == HIDDEN


@given(secrets, st.sampled_from(sorted(SPELLINGS)), st.text(max_size=20), st.text(max_size=20))
def test_no_eight_characters_in_a_row_are_left(secret: str, spelling: str, before: str, after: str) -> None:
    written = SPELLINGS[spelling](secret)

    shown = Redactor([SecretStr(secret)])(f"{before} {written} {after}")

    assert not _pieces(secret) & _pieces(shown)
    assert not _pieces(written) & _pieces(shown) or spelling.startswith(("base64", "Basic"))


@given(secrets, st.integers(0, 40), st.integers(0, 40))
def test_a_piece_that_was_cut_off_is_hidden(secret: str, first: int, length: int) -> None:
    piece = secret[first : first + length]

    shown = Redactor([SecretStr(secret)])(f"x {piece} y")

    assert not _pieces(secret) & _pieces(shown)


def _pieces(text: str) -> set[str]:
    return {text[at : at + SHORTEST_PIECE] for at in range(len(text) - SHORTEST_PIECE + 1)}


@given(st.text(), st.lists(st.text(max_size=30), max_size=3))
def test_any_text_and_any_secrets_are_fine(text: str, values: list[str]) -> None:
    redact = Redactor(map(SecretStr, values))

    shown = redact(text)

    assert not any(value in shown for value in values if len(value) >= SHORTEST_PIECE)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=40), max_size=4), secrets)
def test_a_line_of_json_stays_one(line: dict[str, str], secret: str) -> None:
    hidden = Redactor([SecretStr(secret)])(json.dumps(line | {"x": f"a {secret} b"}))

    assert json.loads(hidden)["x"] == f"a {HIDDEN} b"


@pytest.mark.parametrize("text", ["", "nothing of it", "50% of \\u12 &#; &unknown; %zz \\", "secret"])
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert Redactor([SecretStr("AbC/dEf+gH1/secret=="), SecretStr("")])(text) == text
    assert Redactor([])(text) == text


def test_a_short_secret_is_hidden_whole_or_not_at_all() -> None:
    redact = Redactor([SecretStr("p/w +%")])

    assert redact("sent p/w +% away, p%2Fw+%2B%25 and p/w") == "sent *** away, *** and p/w"


def test_bytes_are_hidden_as_well() -> None:
    redact = Redactor([SecretStr("AbC/dEf+gH1")])

    assert redact.hide(b'{"a": "AbC\\/dEf+gH1", "b": "\xff"}') == b'{"a": "***", "b": "\xff"}'


def test_what_is_presented_cannot_move_a_terminal_or_begin_a_line() -> None:
    words = presentable("a\r\nb\x1b[2Jc\u2028d\u202ee\x00f\u200bg \U0001f600 \ud800", [], 100)

    assert words == r"a\r\nb\x1b[2Jc\u2028d\u202ee\x00f\u200bg " + "\U0001f600 " + r"\ud800"


def test_of_what_is_long_the_middle_is_cut_out() -> None:
    assert presentable("begin " + "x" * 10_000_000 + " end", [], 20) == "begin xxxx ... xxxxxx end"


def test_a_secret_across_the_cut_leaves_no_piece() -> None:
    secret = "".join(chr(ord("a") + at % 26) for at in range(100))

    for at in range(350, 420):
        words = presentable("." * at + secret + "." * 1000, [SecretStr(secret)], 100)
        assert not _pieces(secret) & _pieces(words)


URL = "https://bi.example/v1/hooks%2FT0-B1/s3cret?code=k%20ey+12&v=1"


@pytest.mark.parametrize(
    ("said", "path_stays", "shown"),
    [
        ("Cannot POST /v1/hooks%2FT0-B1/s3cret?code=k%20ey+12&v=1", "/v1/hooks%2FT0-B1/s3cret", "Cannot POST ***?***"),
        ('{"path": "hooks/T0-B1", "code": "k ey 12"}', "hooks/T0-B1", '{"path": "***", "code": "***"}'),
        ("no s3cret in v1", "s3cret", "no *** in v1"),
    ],
)
def test_what_may_be_a_key_in_an_url_is_hidden(said: str, path_stays: str, shown: str) -> None:
    assert presentable(said, keys_in(SecretStr(URL)), 100) == shown
    assert presentable(said, keys_in(URL), 100) == shown.replace("***", path_stays, 1)
