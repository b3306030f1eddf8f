"""Known callers are let in, whatever the bytes; everybody else is refused."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from connectors.ingress.webhooks.callers import (
    NEXUS_ID,
    NEXUS_SIGNATURE,
    NEXUS_TIMESTAMP,
    SECRET,
    STANDARD_ID,
    STANDARD_SIGNATURE,
    STANDARD_TIMESTAMP,
    Callers,
    Claim,
    known_callers,
)

OLD, NEW = "an-old-secret-of-some-length", "a-new-secret-of-some-length"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR = {
    STANDARD_ID: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    STANDARD_TIMESTAMP: "1614265330",
    STANDARD_SIGNATURE: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
VECTOR_BODY, VECTOR_TIME = b'{"test": 2432232314}', 1614265330.0


def lets_in(callers: Callers, headers: dict[str, str], body: bytes, now: float) -> bool:
    claim = callers.claim(headers, now)
    return claim is not None and callers.proves(claim, body)


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_each_of_several_secrets_is_known(secret: str) -> None:
    assert known_callers("secret", [OLD, NEW]).claim({SECRET: secret}, 0) == Claim()


@pytest.mark.parametrize("headers", [{}, {SECRET: ""}, {SECRET: OLD[:-1]}, {SECRET: f"{OLD} "}, {SECRET: "\udcff"}])
def test_nothing_but_the_secret_is_known(headers: dict[str, str]) -> None:
    assert known_callers("secret", [OLD, NEW]).claim(headers, 0) is None


def test_a_secret_beyond_ascii_is_known_by_its_bytes() -> None:
    assert known_callers("secret", ["geheimes-Löschwörtchen"]).claim({SECRET: "geheimes-Löschwörtchen"}, 0) == Claim()


def test_the_vector_of_standard_webhooks_is_let_in() -> None:
    callers = known_callers("standard", [WHSEC])

    claim = callers.claim(VECTOR, VECTOR_TIME)

    assert claim is not None
    assert claim.delivery_id == VECTOR[STANDARD_ID]
    assert callers.proves(claim, VECTOR_BODY)
    assert not callers.proves(claim, VECTOR_BODY + b" ")


@pytest.mark.parametrize(("seconds", "known"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_a_timestamp_may_be_five_minutes_off(seconds: int, known: bool) -> None:
    assert (known_callers("standard", [WHSEC]).claim(VECTOR, VECTOR_TIME + seconds) is not None) is known


@pytest.mark.parametrize(
    "change",
    [
        {STANDARD_ID: ""},
        {STANDARD_ID: "a" * 257},
        {STANDARD_ID: "nul\0"},
        {STANDARD_ID: "umläut"},
        {STANDARD_TIMESTAMP: ""},
        {STANDARD_TIMESTAMP: "1614265330.0"},
        {STANDARD_TIMESTAMP: "-1614265330"},
        {STANDARD_TIMESTAMP: "1" * 5000},
        {STANDARD_TIMESTAMP: "١٦١٤٢٦٥٣٣٠"},
        {STANDARD_SIGNATURE: ""},
        {STANDARD_SIGNATURE: "v1"},
        {STANDARD_SIGNATURE: "v1,"},
        {STANDARD_SIGNATURE: "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {STANDARD_SIGNATURE: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF="},
        {STANDARD_SIGNATURE: "v1,\udcff\udcfe"},
        {STANDARD_SIGNATURE: "v1,not,base64 v1"},
    ],
)
def test_what_is_badly_signed_is_not_let_in(change: dict[str, str]) -> None:
    assert not lets_in(known_callers("standard", [WHSEC]), {**VECTOR, **change}, VECTOR_BODY, VECTOR_TIME)


def test_one_of_several_signatures_is_enough() -> None:
    signatures = f"v2,abc v1,AAAA {VECTOR[STANDARD_SIGNATURE]}"

    assert lets_in(
        known_callers("standard", ["whsec_" + base64.b64encode(b"x" * 24).decode(), WHSEC]),
        {**VECTOR, STANDARD_SIGNATURE: signatures},
        VECTOR_BODY,
        VECTOR_TIME,
    )


@given(key=st.binary(min_size=16, max_size=64), body=st.text(), at=st.integers(1, 4_000_000_000))
@settings(max_examples=100)
def test_what_the_library_signs_is_let_in(key: bytes, body: str, at: int) -> None:
    try:
        body.encode()
    except UnicodeEncodeError:
        return
    signature = Webhook(key).sign("msg_1", datetime.fromtimestamp(at, UTC), body)
    headers = {STANDARD_ID: "msg_1", STANDARD_TIMESTAMP: str(at), STANDARD_SIGNATURE: signature}

    callers = known_callers("standard", ["whsec_" + base64.b64encode(key).decode().rstrip("=")])

    assert lets_in(callers, headers, body.encode(), at)
    assert not lets_in(callers, headers, body.encode() + b"x", at)


@given(
    headers=st.dictionaries(st.sampled_from([*VECTOR, SECRET, NEXUS_ID, NEXUS_SIGNATURE, NEXUS_TIMESTAMP]), st.text())
)
@settings(max_examples=200)
def test_whatever_the_headers_are_a_stranger_is_refused_without_an_error(headers: dict[str, str]) -> None:
    for scheme, secret in (("secret", OLD), ("standard", WHSEC), ("hmac", OLD)):
        callers = known_callers(scheme, [secret])  # type: ignore[arg-type]  # each is one of the schemes
        try:
            assert not lets_in(callers, headers, b"{}", VECTOR_TIME)
        except UnicodeEncodeError:  # lone surrogates that are none of surrogateescape's: no header holds them
            assert any("\ud800" <= letter <= "\udfff" for value in headers.values() for letter in value)


def nexus(secret: str, body: bytes, at: int) -> dict[str, str]:
    signature = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {NEXUS_ID: "delivery-1", NEXUS_TIMESTAMP: str(at), NEXUS_SIGNATURE: f"sha256={signature}"}


@given(body=st.binary(), at=st.integers(1, 4_000_000_000))
@settings(max_examples=100)
def test_what_expert_signs_is_let_in_also_where_it_is_no_text(body: bytes, at: int) -> None:
    callers = known_callers("hmac", [OLD, NEW])

    assert lets_in(callers, nexus(NEW, body, at), body, at)
    assert not lets_in(callers, nexus(NEW, body, at), body + b"x", at)
    assert not lets_in(callers, nexus("somebody-elses-secret", body, at), body, at)
    assert not lets_in(callers, nexus(NEW, body, at), body, at + 301)


@pytest.mark.parametrize("name", [NEXUS_ID, NEXUS_TIMESTAMP, NEXUS_SIGNATURE])
def test_expert_sends_all_three_headers(name: str) -> None:
    assert not lets_in(known_callers("hmac", [OLD]), {**nexus(OLD, b"{}", 100), name: ""}, b"{}", 100)


@pytest.mark.parametrize(
    ("scheme", "secrets"),
    [
        ("secret", []),
        ("secret", [""]),
        ("secret", ["fifteen-letters"]),
        ("secret", [OLD, "short"]),
        ("hmac", [""]),
        ("standard", ["whsec_"]),
        ("standard", ["whsec_c2hvcnQ="]),
        ("standard", ["whsec_no*base64*at*all*at*all"]),
    ],
)
def test_weak_secrets_are_refused_without_being_told(scheme: str, secrets: list[str]) -> None:
    with pytest.raises(ValueError, match=r"secret") as refused:
        known_callers(scheme, secrets)  # type: ignore[arg-type]  # each is one of the schemes

    assert not any(secret in str(refused.value) for secret in secrets if len(secret) > 6)


def test_nothing_that_is_printed_holds_a_secret() -> None:
    for scheme, secret in (("secret", OLD), ("standard", WHSEC), ("hmac", OLD)):
        callers = known_callers(scheme, [secret])  # type: ignore[arg-type]  # each is one of the schemes
        assert "secret" not in repr(callers).replace(type(callers).__name__, "")
        assert "MfKQ" not in repr(callers)
