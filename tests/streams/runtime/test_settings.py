"""How stages run, as people set it."""

from pathlib import Path
from typing import TypeVar

import pytest
from pydantic_settings import BaseSettings

from connectors.errors import ConfigurationError
from connectors.settings import load, variable
from streams.runtime.settings import WorkerSettings
from streams.stages.normalise.settings import NormaliseSettings
from streams.stages.percentiles.settings import PercentilesSettings
from streams.stages.rate_limit.settings import RateLimitSettings

MODELS = (WorkerSettings, NormaliseSettings, PercentilesSettings, RateLimitSettings)  # those that begin with STREAMS_
S = TypeVar("S", bound=BaseSettings)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for model in MODELS:
        for field in model.model_fields:
            monkeypatch.delenv(variable(model, field), raising=False)


def settings(tmp_path: Path, model: type[S], text: str = "") -> S:
    file = tmp_path / "env"
    file.write_text(text)
    return load(model, env_file=file)


def test_defaults_are_those_of_the_issue(tmp_path: Path) -> None:
    found = settings(tmp_path, WorkerSettings)
    hours = settings(tmp_path, PercentilesSettings)
    guests = settings(tmp_path, RateLimitSettings)

    assert found.store == "memory"
    assert hours.publish_interval == 1.0
    assert hours.allowed_lateness == 5 * 60
    assert hours.window_retention == 48 * 3600
    assert found.dedupe_horizon == 15 * 60
    assert (guests.guest_limit, guests.guest_window, guests.guest_count_refused) == (15, 60.0, False)
    assert found.http_host == "127.0.0.1", "health is for this machine until somebody says otherwise"


def test_every_setting_is_read_from_its_variable(tmp_path: Path) -> None:
    text = "STREAMS_STORE=rocksdb\nSTREAMS_PUBLISH_INTERVAL=0\nSTREAMS_DATA_DIR=/data\nOTHER=1\n"
    found, hours = settings(tmp_path, WorkerSettings, text), settings(tmp_path, PercentilesSettings, text)

    assert (found.store, hours.publish_interval, found.data_dir) == ("rocksdb", 0.0, Path("/data"))


def test_an_empty_variable_is_the_default(tmp_path: Path) -> None:
    assert settings(tmp_path, WorkerSettings, "STREAMS_HTTP_PORT=\n").http_port == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STREAMS_STORE", "disk"),
        ("STREAMS_HTTP_PORT", "65536"),
        ("STREAMS_SESSION_TIMEOUT", "5.9"),
        ("STREAMS_DRAIN_TIMEOUT", "0"),
        ("STREAMS_DRAIN_TIMEOUT", "21"),
        ("STREAMS_PUBLISH_INTERVAL", "-1"),
        ("STREAMS_ALLOWED_LATENESS", "-1"),
        ("STREAMS_WINDOW_RETENTION", "3599"),
        ("STREAMS_IDLE_AFTER", "0"),
        ("STREAMS_EXACT_VALUES", "0"),
        ("STREAMS_DEDUPE_HORIZON", "0"),
        ("STREAMS_CLOCK_SKEW", "-1"),
        ("STREAMS_GUEST_LIMIT", "0"),
        ("STREAMS_GUEST_LIMIT", "1001"),
        ("STREAMS_GUEST_WINDOW", "0.9"),
        ("STREAMS_GUEST_WINDOW", "86401"),
        ("STREAMS_GUEST_LATENESS", "-1"),
        ("STREAMS_GUEST_LATENESS", "3601"),
        ("STREAMS_GUEST_CLOCK_SKEW", "-1"),
        ("STREAMS_GUEST_CLOCK_SKEW", "3601"),
        ("STREAMS_GUEST_COUNT_REFUSED", "often"),
        ("STREAMS_DEAD_LETTER_SHARE", "0"),
        ("STREAMS_DEAD_LETTER_SHARE", "1.1"),
        ("STREAMS_PUBLISH_INTERVAL", "fast"),
    ],
)
def test_a_bad_value_is_refused_with_its_variable_and_what_would_be_right(
    tmp_path: Path, name: str, value: str
) -> None:
    (model,) = (model for model in MODELS if name in {variable(model, field) for field in model.model_fields})

    with pytest.raises(ConfigurationError) as refused:
        settings(tmp_path, model, f"{name}={value}\n")

    text = str(refused.value)
    assert text.startswith(f"{name}: ")
    assert value in text
    assert "Expected: " in text


@pytest.mark.parametrize("field", ["publish_interval", "allowed_lateness", "window_retention"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_duration_is_a_number_of_seconds(tmp_path: Path, field: str, value: str) -> None:
    name = variable(PercentilesSettings, field)

    with pytest.raises(ConfigurationError, match=name):
        settings(tmp_path, PercentilesSettings, f"{name}={value}\n")
