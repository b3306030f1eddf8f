"""Metrics, alerts, their runbook and dashboards say the same."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploy import metrics
from deploy.grafana import generate

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = [rule for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"] for rule in group["rules"]]
ELSEWHERE = {"up", "process_start_time_seconds", "process_resident_memory_bytes", "process_cpu_seconds_total"}
OF_REDPANDA = {"redpanda_storage_disk_free_bytes", "redpanda_storage_disk_total_bytes"}
OF_PROMETHEUS = {"job", "program", "instance", "le"}


def promtool(*arguments: str) -> None:
    if shutil.which("promtool") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must check the rules: install Debian's prometheus")
        pytest.skip("promtool is not installed (Debian's prometheus)")
    done = subprocess.run(["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module", name="known")
def _known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The series of the catalogue, each with its labels: of a process of its own, where no test registers any."""
    program = (
        "import json; from deploy import metrics;"
        "print(json.dumps([[sorted(each.series), each.labels, each.meaning] for each in metrics.catalogue()]));"
        "print(json.dumps(metrics.page(metrics.catalogue())))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    series, page = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    assert page == metrics.PAGE.read_text(), "run: python deploy/metrics.py"
    assert all(meaning.endswith(".") for _, _, meaning in series)
    return {name: set(labels) for names, labels, _ in series for name in names}


def expressions() -> Iterator[str]:
    for rule in RULES:
        yield rule["expr"]
    for name in generate.DASHBOARDS:
        for panel in generate.dashboard(name)["panels"]:
            yield from (target["expr"] for target in panel["targets"])


def test_rules_and_dashboards_ask_for_metrics_and_labels_that_are_there(known: dict[str, set[str]]) -> None:
    for expression in expressions():
        bare = re.sub(r'"[^"]*"', '""', expression)
        names = set(re.findall(r"\b((?:cxone|process|redpanda)_\w+|up)\b", bare))
        assert names, expression
        assert names <= known.keys() | ELSEWHERE | OF_REDPANDA, expression
        labels = {label.strip() for by in re.findall(r"by \(([^)]*)\)", bare) for label in by.split(",")}
        labels |= {
            label for inside in re.findall(r"\{([^}]*)\}", bare) for label in re.findall(r"(\w+)\s*[=!]", inside)
        }
        assert labels <= OF_PROMETHEUS.union(*(known.get(name, set()) for name in names)), expression


def test_legends_name_labels_that_their_query_keeps(known: dict[str, set[str]]) -> None:
    for name in generate.DASHBOARDS:
        for panel in generate.dashboard(name)["panels"]:
            for target in panel["targets"]:
                wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                kept = re.search(r"by \(([^)]*)\)", target["expr"])
                labels = OF_PROMETHEUS | set().union(
                    *(known.get(n, set()) for n in re.findall(r"cxone_\w+", target["expr"]))
                )
                assert wanted <= ({label.strip() for label in kept[1].split(",")} if kept else labels), target


def test_rules_are_what_prometheus_reads() -> None:
    promtool("check", "rules", "rules.yml")


def test_the_configuration_is_what_prometheus_reads() -> None:
    promtool("check", "config", "prometheus.yml")


def test_every_rule_fires_in_its_fault_and_ends_after_it() -> None:
    promtool("test", "rules", "rules_test.yml")


def test_every_rule_has_a_test_and_an_entry_in_the_runbook_and_no_other_has() -> None:
    alerts = [rule["alert"] for rule in RULES]
    tested = [each["name"] for each in yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text())["tests"]]
    entries = re.findall(r"^## (\w+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)

    assert alerts == tested == entries
    assert all(rule["labels"]["severity"] in {"critical", "warning"} for rule in RULES)


@pytest.mark.parametrize("name", sorted(generate.DASHBOARDS))
def test_dashboards_are_written_by_their_generator(name: str) -> None:
    assert (generate.FOLDER / f"{name}.json").read_text() == generate.text(name), (
        "run: python deploy/grafana/generate.py"
    )
