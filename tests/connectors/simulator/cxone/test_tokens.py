import pytest

from connectors.simulator.cxone.tokens import MESSAGING_SCOPES, CxoneAccount, Tokens

FORM = {
    "grant_type": "client_credentials",
    "client_id": "simulator",
    "client_secret": "simulator-secret",
    "scope": "view:interaction read:interaction",
}


def test_a_token_is_valid_until_it_ends() -> None:
    tokens = Tokens(CxoneAccount())

    status, body = tokens.answer(FORM, now=100.0, expires_in=60)

    token = str(body.pop("access_token"))
    assert status == 200
    assert body == {"token_type": "Bearer", "expires_in": 60, "scope": "view:interaction read:interaction"}
    assert tokens.valid(token, 159.9)
    assert not tokens.valid(token, 160.0)
    assert not tokens.valid("another", 100.0)


def test_revoking_ends_every_token() -> None:
    tokens = Tokens(CxoneAccount())
    _, body = tokens.answer(FORM, now=100.0, expires_in=60)

    tokens.revoke_all()

    assert not tokens.valid(str(body["access_token"]), 100.0)


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"scope": "view:interaction"}, 403, "insufficient_scope"),
        ({"scope": ""}, 403, "insufficient_scope"),
    ],
)
def test_refuses(change: dict[str, str], status: int, error: str) -> None:
    answered, body = Tokens(CxoneAccount()).answer(FORM | change, now=0.0, expires_in=60)

    assert (answered, body["error"]) == (status, error)


def test_messaging_is_granted_what_it_asks_for_and_may_have() -> None:
    tokens = Tokens(CxoneAccount())
    form = FORM | {"scope": f"{' '.join(MESSAGING_SCOPES)} admin"}

    status, body = tokens.grant(form, now=0.0, expires_in=60, withheld=("routing:write",))

    assert (status, body["scope"]) == (200, "webchat:read conversations:read users:read")
    token = str(body["access_token"])
    assert tokens.allows(token, "webchat:read")
    assert not tokens.allows(token, "routing:write")


def test_messaging_refuses_strangers() -> None:
    status, body = Tokens(CxoneAccount()).grant(FORM | {"client_id": "wrong"}, now=0.0, expires_in=60)

    assert (status, body["error"]) == (401, "invalid_client")
