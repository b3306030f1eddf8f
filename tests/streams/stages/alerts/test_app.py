"""Rules come from a file of the user's, or the shipped one."""

from pathlib import Path

import pytest

from connectors.errors import ConfigurationError
from streams.stages.alerts.app import rules
from streams.stages.alerts.settings import DEFAULT_RULES


def test_the_shipped_file_is_read() -> None:
    assert [rule.name for rule in rules(DEFAULT_RULES)] == ["handle-time", "wait-time"]


def test_what_is_wrong_names_the_setting_the_file_and_the_place(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("rules:\n  - {name: A, metric: mood, threshold: 1}\n")

    with pytest.raises(ConfigurationError) as wrong:
        rules(file)

    lines = str(wrong.value).splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"ALERT_RULES: {file}: rules.0.") for line in lines)


@pytest.mark.parametrize("text", ["rules:\n- name: 2026-02-30\n", "rules: !!timestamp never\n"])
def test_what_yaml_cannot_say_is_a_wrong_setting(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)

    with pytest.raises(ConfigurationError, match="is not YAML"):
        rules(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    for path in (tmp_path / "missing", tmp_path, tmp_path / "binary"):
        with pytest.raises(ConfigurationError, match=r"ALERT_RULES: .* cannot be read"):
            rules(path)
