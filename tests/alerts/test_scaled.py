from pathlib import Path

import pytest
import yaml

from tests.alerts.scaled import configuration, divided, expression, rules

PRODUCT = Path(__file__).parents[2] / "deploy" / "prometheus"


@pytest.mark.parametrize(
    ("duration", "tenth"), [("10s", "1000ms"), ("5m", "30000ms"), ("1h30m", "540000ms"), ("1d", "8640000ms")]
)
def test_a_duration_is_divided(duration: str, tenth: str) -> None:
    assert divided(duration, 10) == tenth


def test_durations_of_an_expression_are_divided_and_nothing_else() -> None:
    text = 'changes((max by (of) (a_5m{status=~"[45]..", of="1m"}))[10m:30s]) > 5000 and b offset 5m > 1.2 * c[1h]'

    assert expression(text, 10) == (
        'changes((max by (of) (a_5m{status=~"[45]..", of="1m"}))[60000ms:3000ms])'
        " > 5000 and b offset 30000ms > 1.2 * c[360000ms]"
    )


def test_the_rules_of_the_product_keep_all_but_their_durations() -> None:
    product = (PRODUCT / "rules.yml").read_text()

    assert yaml.safe_load(rules(rules(product, 10), 0.1)) == yaml.safe_load(rules(product, 1))
    assert [each["alert"] for each in _of(rules(product, 10))] == [each["alert"] for each in _of(product)]
    assert [each["annotations"] for each in _of(rules(product, 10))] == [each["annotations"] for each in _of(product)]


def test_the_configuration_of_the_product_keeps_all_but_intervals_and_addresses() -> None:
    product = yaml.safe_load((PRODUCT / "prometheus.yml").read_text())
    files = {job["job_name"]: f"{job['job_name']}.json" for job in product["scrape_configs"]}

    here = yaml.safe_load(configuration((PRODUCT / "prometheus.yml").read_text(), 10, files, "127.0.0.1:9"))

    assert here["alerting"]["alertmanagers"] == [{"static_configs": [{"targets": ["127.0.0.1:9"]}]}]
    assert here["rule_files"] == product["rule_files"]
    assert here["global"] == {"scrape_interval": "1000ms", "evaluation_interval": "1000ms"}
    for job, was in zip(here["scrape_configs"], product["scrape_configs"], strict=True):
        assert job.pop("file_sd_configs") == [{"files": [files[was["job_name"]]], "refresh_interval": "1000ms"}]
        assert job == {name: value for name, value in was.items() if name not in {"dns_sd_configs", "static_configs"}}


def _of(text: str) -> list[dict[str, object]]:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
