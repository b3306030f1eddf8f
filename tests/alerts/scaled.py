"""The product's rules and scrape configuration for one machine, with every duration divided. Pure."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d+)(ms|s|m|h|d)")
_IN_AN_EXPRESSION = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")


def divided(duration: str, factor: float) -> str:
    """Return a duration as Prometheus writes it, such as 1h30m, divided, in whole milliseconds."""
    milliseconds = sum(int(number) * _UNITS[unit] for number, unit in _DURATION.findall(duration))
    return f"{round(milliseconds / factor)}ms"


def expression(text: str, factor: float) -> str:
    """Return an expression with the durations of its ranges, subqueries and offsets divided."""

    def inside(found: re.Match[str]) -> str:
        return re.sub(f"(?:{_DURATION.pattern})+", lambda duration: divided(duration[0], factor), found[0])

    return _IN_AN_EXPRESSION.sub(inside, text)


def rules(text: str, factor: float) -> str:
    """Return a file of rules with every duration divided. Thresholds and words stay as they are."""
    wanted = yaml.safe_load(text)
    for group in wanted["groups"]:
        group["interval"] = divided(group["interval"], factor)
        for rule in group["rules"]:
            rule["expr"] = expression(rule["expr"], factor)
            if "for" in rule:
                rule["for"] = divided(rule["for"], factor)
    return yaml.safe_dump(wanted, sort_keys=False)


def configuration(text: str, factor: float, found_in: Mapping[str, str], alertmanager: str) -> str:
    """Return Prometheus' configuration with intervals divided, and for each job the file that names its targets.

    `alertmanager` is the address (host:port) of the one that is told.
    """
    wanted: dict[str, Any] = yaml.safe_load(text)
    for told in wanted["alerting"]["alertmanagers"]:
        told["static_configs"] = [{"targets": [alertmanager]}]
    wanted["global"] = {name: divided(value, factor) for name, value in wanted["global"].items()}
    for job in wanted["scrape_configs"]:
        for way in [name for name in job if name.endswith("_configs") and name != "relabel_configs"]:
            del job[way]
        file = {"files": [found_in[job["job_name"]]], "refresh_interval": divided("10s", factor)}
        job["file_sd_configs"] = [file]
    return yaml.safe_dump(wanted, sort_keys=False)
