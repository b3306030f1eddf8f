"""Settings say which variable is wrong and never what a secret is."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from connectors.errors import ConfigurationError
from connectors.settings import (
    CxoneSettings,
    InfluxSettings,
    KafkaSettings,
    NetworkSettings,
    RegistrySettings,
    load,
    secure_url,
    variable,
)
from streams.topology import settings_models

ROOT = Path(__file__).parents[2]
SECRET = "s3cr3t-v4lue"

# Every model whose settings .env.example must list.
LISTED: tuple[type[BaseSettings], ...] = settings_models()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for model in LISTED:
        for field in model.model_fields:
            monkeypatch.delenv(variable(model, field), raising=False)


def env(tmp_path: Path, text: str) -> Path:
    file = tmp_path / ".env"
    file.write_text(text)
    return file


def test_defaults_reach_a_broker_on_this_machine(tmp_path: Path) -> None:
    settings = load(KafkaSettings, env_file=tmp_path / "missing")

    assert settings.librdkafka() == {"bootstrap.servers": "localhost:9092", "security.protocol": "PLAINTEXT"}
    assert settings.create_topics
    assert settings.replication_factor == -1
    assert settings.lingering() == settings.librdkafka() | {"linger.ms": 0}


def test_what_may_wait_for_more_waits_as_long_as_is_said(tmp_path: Path) -> None:
    settings = load(KafkaSettings, env_file=env(tmp_path, "KAFKA_LINGER=0.05"))

    assert settings.lingering() == settings.librdkafka() | {"linger.ms": 50}


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = env(tmp_path, "KAFKA_BOOTSTRAP_SERVERS=file:1\nKAFKA_CREATE_TOPICS=false\nOTHER=ignored\n")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "environment:2,[::1]:3")

    settings = load(KafkaSettings, env_file=file)

    assert settings.bootstrap_servers == "environment:2,[::1]:3"
    assert not settings.create_topics


def test_sasl_ssl_gives_librdkafka_the_revealed_password(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("certificate")
    file = env(
        tmp_path,
        f"KAFKA_SECURITY_PROTOCOL=SASL_SSL\nKAFKA_SASL_USERNAME=app\nKAFKA_SASL_PASSWORD={SECRET}\n"
        f"KAFKA_SSL_CA_LOCATION={ca}\n",
    )

    settings = load(KafkaSettings, env_file=file)

    assert settings.librdkafka() == {
        "bootstrap.servers": "localhost:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "app",
        "sasl.password": SECRET,
        "ssl.ca.location": str(ca),
    }
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("KAFKA_SECURITY_PROTOCOL=TLS", ["KAFKA_SECURITY_PROTOCOL", "it is 'TLS'", "SASL_SSL"]),
        ("KAFKA_SECURITY_PROTOCOL=SASL_SSL", ["KAFKA_SASL_USERNAME is needed for SASL_SSL"]),
        ("KAFKA_BOOTSTRAP_SERVERS=a:1,b", ["KAFKA_BOOTSTRAP_SERVERS", "'b' is not host:port"]),
        ("KAFKA_CREATE_TOPICS=perhaps", ["KAFKA_CREATE_TOPICS", "boolean", "it is 'perhaps'"]),
        ("KAFKA_LINGER=50", ["KAFKA_LINGER", "less than or equal to 1"]),
        ("KAFKA_REPLICATION_FACTOR=0", ["KAFKA_REPLICATION_FACTOR", "-1 for the broker's default"]),
        ("KAFKA_SSL_CA_LOCATION=/nowhere.pem", ["KAFKA_SSL_CA_LOCATION", "'/nowhere.pem'", "PEM file"]),
    ],
)
def test_a_mistake_names_the_variable_and_what_would_be_right(tmp_path: Path, line: str, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(KafkaSettings, env_file=env(tmp_path, line))

    for word in words:
        assert word in str(refused.value)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(InfluxSettings, env_file=env(tmp_path, "INFLUX_BATCH_LINES=0\nINFLUX_ORG=\n"))

    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == [
        "INFLUX_TOKEN",
        "INFLUX_ORG",
        "INFLUX_BUCKET",
        "INFLUX_BATCH_LINES",
    ]
    assert "INFLUX_ORG: is not set. Expected: organisation" in str(refused.value)


@pytest.mark.parametrize("org", ["evil.example/", "acme.cxone.com", "a@b", "-a"])
def test_an_organisation_cannot_lead_to_another_host(tmp_path: Path, org: str) -> None:
    with pytest.raises(ConfigurationError, match=r"CXONE_ORG_DOMAIN: .* Expected: .*acme for acme.cxone.com"):
        load(CxoneSettings, env_file=env(tmp_path, f"CXONE_ORG_DOMAIN={org}"))


def test_no_error_tells_a_secret(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(
            CxoneSettings,
            env_file=env(
                tmp_path,
                f"CXONE_CLIENT_SECRET={SECRET}\nCXONE_INTERACTIONS_WS_URL=ws://example.com/?access_token={SECRET}\n",
            ),
        )

    assert "CXONE_INTERACTIONS_WS_URL: must be encrypted" in str(refused.value)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    "url", ["https://a.example", "wss://a.example/x?y=z", "http://localhost:1", "ws://127.0.0.2:1/x", "http://[::1]:8"]
)
def test_urls_that_keep_a_secret(url: str) -> None:
    assert secure_url(url) == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://a.example", "must be encrypted"),
        ("ws://127.0.0.1.example", "must be encrypted"),
        ("http://localhost@a.example", "no credentials"),
        ("https://user:word@a.example", "no credentials"),
        ("wss://a.example/e#x", "no fragment"),
        ("https://a.example/#", "no fragment"),
        ("ftp://a.example", "no URL with a scheme"),
        ("a.example", "no URL with a scheme"),
        ("https://", "no URL with a scheme"),
        ("https://a.example:port", "is no URL"),
        ("https://[::1", "is no URL"),
    ],
)
def test_urls_that_would_give_a_secret_away(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        secure_url(url)

    assert url not in str(refused.value)


@pytest.mark.parametrize(
    ("model", "line"),
    [
        (RegistrySettings, "SCHEMA_REGISTRY_URL=wss://a.example"),
        (CxoneSettings, "CXONE_INTERACTIONS_WS_URL=https://a.example"),
        (CxoneSettings, "CXONE_MESSAGING_WS_URL=https://a.example"),
        (CxoneSettings, "CXONE_MESSAGING_API_URL=wss://a.example"),
    ],
)
def test_a_url_of_the_wrong_kind_is_refused(tmp_path: Path, model: type[BaseSettings], line: str) -> None:
    with pytest.raises(ConfigurationError, match=r"must begin with (https|wss)://"):
        load(model, env_file=env(tmp_path, line))


def test_the_example_file_lists_every_setting_with_a_comment_and_its_default(tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text()
    listed = re.findall(r"^(\w+)=(.*)$", text, flags=re.MULTILINE)
    commented = re.findall(r"^# .+\n(\w+)=", text, flags=re.MULTILINE)

    expected = [variable(model, field) for model in LISTED for field in model.model_fields]
    assert sorted(name for name, _ in listed) == sorted(expected)
    assert sorted(commented) == sorted(expected)

    for model in LISTED:
        fields = {variable(model, name): (name, field) for name, field in model.model_fields.items()}
        required = "".join(f"{name}=https://x\n" for name, (_, field) in fields.items() if field.is_required())
        given = "".join(f"{name}={value}\n" for name, value in listed if value)
        settings = load(model, env_file=env(tmp_path, given + required))
        for name, field in fields.values():
            assert field.is_required() or getattr(settings, name) == field.get_default(call_default_factory=True)


@pytest.mark.parametrize("written", ["s3cret-token\n", "s3cret-token\r\n", "\ns3cret-token"])
def test_a_secret_loses_the_line_feed_that_it_was_mounted_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("INFLUX_TOKEN", written)

    settings = load(InfluxSettings, env_file=env(tmp_path, "INFLUX_ORG=o\nINFLUX_BUCKET=b\n"))

    assert settings.token.get_secret_value() == "s3cret-token"
    assert type(settings) is InfluxSettings


@pytest.mark.parametrize(
    "written", ["s3cret\ntoken", "s3cret\x1btoken", "s3cret token", "s3cr\u00e9t", "\n", "s3cret\u2028"]
)
def test_a_token_that_no_header_can_carry_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("INFLUX_TOKEN", written)

    with pytest.raises(ConfigurationError, match=r"^INFLUX_TOKEN: .* Expected: API token") as refused:
        load(InfluxSettings, env_file=env(tmp_path, "INFLUX_ORG=o\nINFLUX_BUCKET=b\n"))

    assert "s3cr" not in str(refused.value)


@pytest.mark.parametrize("secret", ["a${HOME}b", "a$HOME", "pass#word", "back\\slash", "uml\u00e4ut", "a b", "%41"])
def test_secrets_are_taken_as_they_stand(tmp_path: Path, secret: str) -> None:
    text = f"KAFKA_SECURITY_PROTOCOL=SASL_SSL\nKAFKA_SASL_USERNAME=app\nKAFKA_SASL_PASSWORD={secret}\n"

    password = load(KafkaSettings, env_file=env(tmp_path, text)).sasl_password

    assert password is not None
    assert password.get_secret_value() == secret


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_file_of_windows_is_read(tmp_path: Path, ends: str) -> None:
    file = tmp_path / ".env"
    file.write_bytes(ends.join(["KAFKA_BOOTSTRAP_SERVERS=file:1", "KAFKA_CREATE_TOPICS=false", ""]).encode("utf-8-sig"))

    settings = load(KafkaSettings, env_file=file)

    assert (settings.bootstrap_servers, settings.create_topics) == ("file:1", False)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_a_file_in_another_encoding_is_one_clear_error(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / ".env"
    file.write_bytes(f"KAFKA_SASL_PASSWORD={SECRET}\u00e4\n".encode(encoding))

    with pytest.raises(ConfigurationError, match=r"\.env: is not UTF-8\. Save it as UTF-8") as refused:
        load(KafkaSettings, env_file=file)

    assert SECRET not in str(refused.value)
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    ("line", "missing"),
    [("SCHEMA_REGISTRY_USERNAME=app", "PASSWORD"), (f"SCHEMA_REGISTRY_PASSWORD={SECRET}", "USERNAME")],
)
def test_half_of_a_registrys_credentials_is_refused(tmp_path: Path, line: str, missing: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^SCHEMA_REGISTRY_{missing} is not set\. Expected: both") as refused:
        load(RegistrySettings, env_file=env(tmp_path, f"SCHEMA_REGISTRY_URL=https://a.test\n{line}\n"))

    assert SECRET not in str(refused.value)


def test_a_plain_url_is_taken_for_hosts_that_are_named_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWORK_PLAIN_HOSTS", "influxdb,crm")

    assert secure_url("http://influxdb:8086") == "http://influxdb:8086"
    with pytest.raises(ValueError, match="must be encrypted"):
        secure_url("http://influxdb.example")
    monkeypatch.setenv("NETWORK_PLAIN_HOSTS", "*")
    with pytest.raises(ConfigurationError, match="NETWORK_PLAIN_HOSTS"):
        load(NetworkSettings)
