"""The door's settings, and its secrets, which nothing tells."""

import pytest

from connectors.errors import ConfigurationError
from connectors.ingress.webhooks.callers import SECRET, Claim
from connectors.ingress.webhooks.settings import WebhookSecrets, WebhookSettings


def secrets(text: str) -> WebhookSecrets:
    return WebhookSecrets.model_validate({"secrets": text})


def test_each_of_the_secrets_counts() -> None:
    callers = secrets("the-first-of-two-secrets , the-second-of-two-secrets").callers("secret")

    for each in ("the-first-of-two-secrets", "the-second-of-two-secrets"):
        assert callers.claim({SECRET: each}, 0) == Claim()


@pytest.mark.parametrize("text", ["", ",", "the-only-one-that-is-long,", "the-only-one-that-is-long,short-one"])
def test_an_empty_or_short_secret_is_refused_by_name_and_not_told(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"CXONE_WEBHOOK_SECRETS: secret \d is shorter than 16") as refused:
        secrets(text).callers("secret")

    assert "long" not in str(refused.value)
    assert "short-one" not in str(refused.value)


def test_secrets_are_in_no_text() -> None:
    assert "first-of" not in repr(secrets("the-first-of-two-secrets"))


@pytest.mark.parametrize("name", ["", "a b", "-a", "a-", "a.b", "a" * 65, "ä"])
def test_an_instance_has_a_name_that_acls_can_hold(name: str) -> None:
    with pytest.raises(ValueError, match="instance"):
        WebhookSettings.model_validate({"instance": name})


def test_the_transactional_id_begins_as_acls_expect() -> None:
    assert WebhookSettings.model_validate({"instance": "eu-west-1"}).transactional_id == "cxone-webhooks-eu-west-1"
