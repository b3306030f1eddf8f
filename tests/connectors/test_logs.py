"""Log lines name what happened and never a secret."""

import json
import logging

import pytest
import structlog
from pydantic import SecretStr

from connectors.logs import Repetition, configure, redactor

SECRET = 'client"w0rd\\x'
TOKEN = "eyJhbGciOi.J-_9~+/t0ken=="


def test_json_lines_carry_the_bound_values(capsys: pytest.CaptureFixture[str]) -> None:
    configure(json=True)

    structlog.get_logger().bind(connector="interactions").warning("frame refused", reason="not JSON")

    line = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "frame refused",
        "level": "warning",
        "connector": "interactions",
        "reason": "not JSON",
    }


def test_lines_of_libraries_look_like_ours(capsys: pytest.CaptureFixture[str]) -> None:
    configure(json=True)

    logging.getLogger("some.library").warning("GET %s", f"wss://a.example/?access_token={TOKEN}&x=1")
    logging.getLogger("httpx").info("HTTP Request: POST https://a.example")

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["GET wss://a.example/?access_token=***&x=1"]
    assert lines[0]["logger"] == "some.library"
    assert lines[0]["level"] == "warning"


@pytest.mark.parametrize(("level", "told"), [("debug", {"ours", "warned"}), ("info", {"warned"}), ("error", set())])
def test_debug_is_for_our_lines_and_not_for_those_of_libraries(
    capsys: pytest.CaptureFixture[str], level: str, told: set[str]
) -> None:
    configure(json=True, level=level)

    structlog.get_logger("streams.stages.routing.app").debug("ours")
    logging.getLogger("some.library").debug("theirs")
    logging.getLogger("httpx").warning("warned")

    assert {json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()} == told


def test_without_a_terminal_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure()

    structlog.get_logger().info("started")

    assert json.loads(capsys.readouterr().err)["event"] == "started"


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_gives_no_token_away(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> None:
    configure(json=as_json, secrets=[SecretStr(SECRET)])

    failure = RuntimeError(f"wss://a.example/?access_token={TOKEN} refused {SECRET}")
    structlog.get_logger().error("lost", exc_info=failure, access_token=TOKEN, answer={"access_token": TOKEN})

    text = capsys.readouterr().err
    assert "RuntimeError" in text
    assert "t0ken" not in text
    assert "w0rd" not in text
    assert "access_token=*** refused ***" in text


@pytest.mark.parametrize(
    "line",
    [
        f"wss://a.example/?access_token={TOKEN}",
        f"access_token: {TOKEN}",
        f'{{"access_token": "{TOKEN}"}}',
        f"{{'access_token': '{TOKEN}'}}",
        f'{{\\"access_token\\":\\"{TOKEN}\\"}}',
        f"b'access_token={TOKEN}'",
        f"client_secret={TOKEN}&scope=x",
        f"Authorization: Bearer {TOKEN}",
        f"\x1b[36maccess_token\x1b[0m=\x1b[35m{TOKEN}\x1b[0m",
    ],
)
def test_what_follows_a_telling_name_is_hidden(line: str) -> None:
    redacted = redactor()(None, "info", line)

    assert "t0ken" not in redacted
    assert "***" in redacted


@pytest.mark.parametrize("written", ["p/w +%", "p%2Fw+%2B%25", "p%2Fw%20%2B%25", "p/w%20%2B%25"])
def test_known_secrets_are_hidden_in_every_form(written: str) -> None:
    redact = redactor([SecretStr("p/w +%"), SecretStr("")])

    assert redact(None, "info", f"sent {written} away") == "sent *** away"


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("secret", ["t0ken-of-influx\n", "back\\slash-s3cret", "uml\u00e4ut-s3cret", 'quo"ted-s3cret'])
def test_what_a_library_writes_as_a_repr_is_hidden(
    capsys: pytest.CaptureFixture[str], secret: str, *, as_json: bool
) -> None:
    configure(json=as_json, secrets=[SecretStr(secret)])

    failure = ValueError(f"Invalid header value {f'Token {secret}'.encode()!r}")
    structlog.get_logger().error("lost", exc_info=failure, repr=repr(secret), value=secret, quoted=json.dumps(secret))

    text = capsys.readouterr().err
    pieces = {secret[at : at + 8] for at in range(len(secret) - 7)}
    assert "***" in text
    assert not any(piece in text or json.dumps(piece)[1:-1] in text or repr(piece)[1:-1] in text for piece in pieces)


def test_a_library_says_the_same_thing_once_in_ten_seconds_and_we_are_never_cut_short() -> None:
    now = [100.0]
    repetition = Repetition(10.0, lambda: now[0])

    def said(name: str, message: str) -> bool:
        return bool(repetition.filter(logging.LogRecord(name, logging.ERROR, "", 0, message, (), None)))

    assert [said("aiokafka", "no broker"), said("aiokafka", "no broker"), said("aiokafka", "other")] == [1, 0, 1]
    assert [said("streams.runtime.stage", "no broker"), said("streams.runtime.stage", "no broker")] == [1, 1]
    now[0] += 10.0
    assert said("aiokafka", "no broker")
