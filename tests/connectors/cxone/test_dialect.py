"""A dialect file is checked key by key, and its mistakes are told in the file's own words."""

from importlib.resources import files
from pathlib import Path

import pytest

from connectors.cxone.dialect import load
from connectors.errors import ConfigurationError
from connectors.settings import CxoneSettings
from schemas.frame_fields import ActionFields, ChangeFields, Kind

SHIPPED = (files("connectors.cxone") / "dialects" / "v2.yaml").read_text("utf-8")


def cxone(**values: object) -> CxoneSettings:
    return CxoneSettings.model_validate({"client_id": "id", "client_secret": "secret", **values})


def edited(tmp_path: Path, old: str, new: str) -> str:
    assert old in SHIPPED
    file = tmp_path / "tenant.yaml"
    file.write_text(SHIPPED.replace(old, new), "utf-8")
    return str(file)


def test_v2_says_what_was_specified() -> None:
    interactions = load("v2").interactions

    assert interactions.token_url(cxone(org_domain="acme")) == "https://acme.cxone.com/oauth/token"
    assert interactions.socket_url(cxone(org_domain="acme")) == "wss://acme.cxone.com/api/v2/events"
    assert interactions.oauth.scope == "view:interaction read:interaction"
    assert interactions.oauth.renew_before == 120
    assert interactions.socket.token_parameter == "access_token"
    assert interactions.socket.hello == '{"subscription":["interaction.completed"]}'
    assert interactions.socket.ping_interval == 20
    assert interactions.socket.pong_timeout == 10
    assert interactions.socket.max_frame_bytes == 2**20


def test_v2_knows_the_fields_of_an_interaction() -> None:
    fields = load("v2").interactions.fields.interaction()

    assert fields.event_id == (("eventId",), ("payload", "interactionId"), ("payload", "contactId"))
    assert fields.interaction_id == (("payload", "interactionId"), ("payload", "contactId"))
    assert fields.campaign_id == (("payload", "campaignId"),)
    assert fields.handle_time == (("payload", "handleTime"),)
    assert fields.wait_time == (("payload", "waitTime"),)
    assert fields.completed_at == (("timestamp",), ("payload", "completionTime"))
    assert fields.kind({"type": "interaction.completed"}) is Kind.EVENT
    assert fields.kind({"type": "subscription.confirmed"}) is Kind.CONTROL


def test_v2_knows_the_fields_of_webhooks() -> None:
    actions = load("v2").actions

    assert actions.interaction.action() == ActionFields(
        interaction_id=(("id",),),
        channel=(("channel",),),
        customer_email=(("customer", "email"),),
        agent_id=(("agent", "id"),),
    )
    assert actions.dashboard.change() == ChangeFields(
        dashboard_id=(("dashboardId",),),
        event_type=(("eventType",), ("type",)),
        actor=(("actor", "id"), ("actor",), ("userId",)),
        etag=(("etag",), ("eTag",)),
    )


def test_v2_says_what_was_specified_of_web_messaging() -> None:
    messaging = load("v2").messaging

    assert messaging.token_url(cxone()) == "https://api.cxone.com/oauth/v2/token"
    assert messaging.socket_url(cxone()) == "wss://api.cxone.com/webchat/v1/ws"
    assert messaging.routing_url(cxone()) == "https://api.cxone.com/api/v2/routing/conversations"
    assert messaging.oauth.scope == "webchat:read routing:write conversations:read users:read"
    assert messaging.oauth.renew_before == 300
    assert messaging.socket.hello == '{"type":"auth","token":"{token}"}'


def test_v2_knows_the_fields_of_a_message() -> None:
    fields = load("v2").messaging.fields.message()

    assert fields.fingerprint[:2] == (("metadata", "browserFingerprint"), ("guest", "fingerprint"))
    assert fields.queue_id[0] == ("metadata", "routing", "queueId")
    assert fields.default_queue == "default"
    assert fields.kind({"type": "message", "direction": "inbound"}) is Kind.EVENT
    assert fields.kind({"type": "message", "direction": "outbound"}) is Kind.OTHER
    assert fields.kind({"type": "heartbeat"}) is Kind.CONTROL


def test_a_file_from_before_knows_messages_that_are_elsewhere(tmp_path: Path) -> None:
    newer = ("fingerprint_tells", "stored_types", "stored_type", "cut", "durations")
    lines = [line for line in SHIPPED.splitlines() if line.strip().partition(":")[0] not in newer]
    file = tmp_path / "tenant.yaml"
    file.write_text("\n".join(lines), "utf-8")

    assert load(str(file)) == load("v2")


def test_a_tenant_is_served_by_editing_a_file(tmp_path: Path) -> None:
    path = edited(tmp_path, "https://{org}.cxone.com", "https://{region}.{org}.example")

    url = load(path).interactions.token_url(cxone(org_domain="acme", region="na1"))

    assert url == "https://na1.acme.example/oauth/token"


def test_whole_urls_from_the_settings_win() -> None:
    settings = cxone(interactions_token_url="http://localhost:1/t", interactions_ws_url="ws://localhost:1/e")

    interactions = load("v2").interactions

    assert interactions.token_url(settings) == "http://localhost:1/t"
    assert interactions.socket_url(settings) == "ws://localhost:1/e"


def test_whole_urls_of_web_messaging_win_and_the_api_keeps_its_path() -> None:
    messaging = load("v2").messaging

    assert messaging.token_url(cxone(messaging_token_url="http://localhost:1/t")) == "http://localhost:1/t"
    assert messaging.socket_url(cxone(messaging_ws_url="ws://localhost:1/e")) == "ws://localhost:1/e"
    for base in ("http://localhost:1/gate", "http://localhost:1/gate/"):
        url = messaging.routing_url(cxone(messaging_api_url=base))
        assert url == "http://localhost:1/gate/api/v2/routing/conversations"


def test_web_messaging_may_be_at_the_organisation_s_hosts(tmp_path: Path) -> None:
    messaging = load(edited(tmp_path, "//api.cxone.com", "//{org}.{region}.example")).messaging
    acme = cxone(org_domain="acme", region="na1")

    assert messaging.token_url(acme) == "https://acme.na1.example/oauth/v2/token"
    assert messaging.socket_url(acme) == "wss://acme.na1.example/webchat/v1/ws"
    assert messaging.routing_url(acme) == "https://acme.na1.example/api/v2/routing/conversations"
    with pytest.raises(ConfigurationError, match=r"CXONE_ORG_DOMAIN: is not set.*CXONE_MESSAGING_API_URL"):
        messaging.routing_url(cxone())


def test_a_missing_organisation_is_named_with_both_ways_out() -> None:
    with pytest.raises(ConfigurationError, match=r"CXONE_ORG_DOMAIN: is not set.*CXONE_INTERACTIONS_TOKEN_URL"):
        load("v2").interactions.token_url(cxone())


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("scope:", "scoope:", "interactions.oauth.scoope: is not a key. Did you mean scope?"),
        ("scope:", "scoope:", "interactions.oauth.scope: is missing."),
        ("  fields:", "  zzz:", "interactions.zzz: is not a key. Expected one of: oauth, socket, fields."),
        ("renew_before: 120", "renew_before: soon", "oauth.renew_before: Input should be a valid number"),
        ("ping_interval: 20", "ping_interval: 0", "socket.ping_interval: Input should be greater than 0 (it is 0)"),
        ("[payload.campaignId]", "payload.campaignId", "fields.campaign_id: must be a list of paths"),
        ("[payload.campaignId]", "[payload..campaignId]", "'payload..campaignId' is not a path"),
        ("[payload.campaignId]", "[]", "fields.campaign_id: must be a list of paths"),
        ("https://{org}", "https://{tenant}", "knows only {org} and {region}, not {tenant}"),
        ("https://{org}", "https://{org.__class__}", "not {org.__class__}"),
        ("https://{org}", "http://{org}", "must be encrypted"),
        ("https://{org}", "https://me:w0rd@{org}", "interactions.oauth.token_url: must carry no credentials"),
        ("wss://{org}", "https://{org}", "must begin with wss://"),
        ("https://{org}", "https://{org", "oauth.token_url: "),
        ('\'{"subscription"', "'{subscription\"", "socket.hello: "),
        ('"token":"{token}"', '"token":"token"', "messaging.socket.hello: must say where the token goes: {token}"),
        ('"token":"{token}"', '"token":{token}', "messaging.socket.hello: "),
        ("messaging:", "messages:", "messages: is not a key. Did you mean messaging?"),
        ("https://api", "wss://api", "messaging.routing.url: must begin with https://"),
        (
            "durations: seconds",
            "durations: minutes",
            "fields.durations: Input should be 'seconds', 'text' or 'iso8601'",
        ),
        ("[deviceToken, ip]", "[]", "messaging.fields.fingerprint_tells: Tuple should have at least 1 item"),
        ("[inbound]", "[]", "messaging.fields.inbound: Tuple should have at least 1 item"),
        (SHIPPED, "- a list", "the file: Input should be a valid dictionary"),
        (SHIPPED, "a: [", "is not YAML"),
        (SHIPPED, "a: 2026-02-30", "is not YAML: day is out of range for month"),
        (SHIPPED, "[" * 3000, "is not YAML: maximum recursion depth exceeded"),
    ],
)
def test_mistakes_are_told_in_the_words_of_the_file(tmp_path: Path, old: str, new: str, problem: str) -> None:
    path = edited(tmp_path, old, new)

    with pytest.raises(ConfigurationError) as refused:
        load(path)

    assert f"CXONE_DIALECT: {path}" in str(refused.value)
    assert problem in str(refused.value)
    assert "w0rd" not in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tenant.yaml"
    file.write_bytes(b"\xff\xfe\xff")

    with pytest.raises(ConfigurationError, match="is not YAML"):
        load(str(file))


def test_a_name_longer_than_a_file_s_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigurationError, match=r"CXONE_DIALECT: x+ cannot be read: File name too long"):
        load("x" * 300)


def test_an_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'v9' is neither a shipped dialect \(v2\) nor a file"):
        load("v9")


def test_dashboards_have_urls_of_their_own() -> None:
    dashboards = load("v2").dashboards
    base = "https://gateway.example/cxone/"

    assert dashboards.api_url(cxone()) == "https://api.cxone.com/api/v2/dashboards"
    assert dashboards.api_url(cxone(dashboards_api_url=base)) == "https://gateway.example/cxone/api/v2/dashboards"
    subscriptions = "https://gateway.example/cxone/api/v2/events/subscriptions"
    assert dashboards.subscriptions(cxone(dashboards_api_url=base)) == subscriptions
    assert dashboards.token_url(cxone(dashboards_token_url="https://t.example/t")) == "https://t.example/t"
    assert dashboards.oauth.renew_before == 60
