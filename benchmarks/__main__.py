"""`python -m benchmarks`: what the stages take and how soon they answer, on a real Kafka of its own."""

import json as jsonlib
import sys
from collections.abc import Sequence
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import dashboards, guests, latency, measure, report
from benchmarks.brokers import own_broker
from benchmarks.contenders import OURS, STOCK, STOCK_RAW, Contender, contenders
from benchmarks.growth import measure as growth
from benchmarks.growth import plot as growth_plot
from benchmarks.growth import report as growth_report
from benchmarks.growth.points import points
from benchmarks.measure import Run, Start
from benchmarks.peers.contenders import PEERS_FRAMES, once, peers
from benchmarks.process import ProcessFailed
from benchmarks.results import WrongResults
from benchmarks.topics import Topics
from benchmarks.traffic import Traffic
from connectors.kafka.embedded import EmbeddedBroker
from deploy.local.kafka.broker import Failed, Missing
from schemas.topics import RAW_INTERACTIONS
from streams import topology

EMBEDDED, KAFKA = "embedded", "Kafka"


class Section(StrEnum):
    PEERS = "peers"
    INTERACTIONS = "interactions"
    LATENCY = "latency"
    GUESTS = "guests"
    DASHBOARDS = "dashboards"
    GROWTH = "growth"  # only when it is asked for: it takes a quarter of an hour


console = Console()
console.width = max(console.width, 120)  # the tables' own


def main(  # noqa: PLR0913 - one argument per option
    *,
    only: Annotated[Section | None, typer.Option(help="One part: the others are left out.")] = None,
    events: Annotated[int, typer.Option(min=1000, help="Different events for the stages.")] = 1_000_000,
    stock_events: Annotated[int, typer.Option(min=1000, help="The first so many of them for stock Faust.")] = 50_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often everything runs, alternating.")] = 2,
    starts: Annotated[int, typer.Option(min=1, help="Cold starts of each kind.")] = 5,
    seconds: Annotated[
        float, typer.Option(min=5, help="How long frames come, and guests write, after the first seconds.")
    ] = 60,
    calls: Annotated[int, typer.Option(min=1000, help="Messages that one routing worker works off.")] = 30_000,
    json: Annotated[Path | None, typer.Option(help="Write the figures to this file, too.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the figures of growth into this SVG.")] = None,
) -> None:
    """Measure throughput, cold starts, guests and dashboards; or how costs grow.

    Exit status 1 when a result is wrong: no figure then.
    """
    if sys.platform != "linux":
        sys.exit("CPU and memory of the workers are read from /proc: run this on Linux")
    figures: dict[str, Any] = {}
    try:
        with own_broker() as (bootstrap, logs), closing(Topics(bootstrap)) as topics:
            if only in {None, Section.INTERACTIONS, Section.PEERS}:
                compared = min(stock_events, events)
                everybody, traffic = programs(only, events, compared), Traffic(events, compared)
                figures |= measure_interactions(everybody, topics, traffic, rounds=rounds, starts=starts)
            if only in {None, Section.LATENCY}:
                figures["latency"] = measure_latency(topics, seconds)
            if only in {None, Section.GUESTS}:
                figures["guests"] = measure_guests(topics, seconds, calls)
            if only in {None, Section.DASHBOARDS}:
                figures["dashboards"] = measure_dashboards(bootstrap)
            if only is Section.GROWTH:
                figures["growth"] = measure_growth(topics, logs, events, plot)
    except (WrongResults, ProcessFailed, Missing, Failed) as problem:
        sys.exit(str(problem))
    if json is not None:
        json.write_text(jsonlib.dumps(figures, indent=2) + "\n")
    if any("why" in point for point in figures.get("growth", {}).get("points", ())):
        sys.exit("Points without a figure: see above")


def programs(only: Section | None, events: int, compared: int) -> list[Contender]:
    """Return what is measured with interactions. Raises Missing."""
    everybody = contenders(events, compared)
    if only is Section.INTERACTIONS:
        return everybody
    if only is Section.PEERS:
        return [*(one for one in everybody if not one.sinks), *peers(events, console.print)]
    try:
        return [*everybody, *peers(events, console.print)]
    except Missing as missing:
        console.print(f"Other stream processors are left out. {missing}")
        return everybody


def measure_interactions(
    everybody: Sequence[Contender], topics: Topics, traffic: Traffic, *, rounds: int, starts: int
) -> dict[str, Any]:
    started = cold_starts_embedded(everybody, starts)
    started += cold_starts(everybody, topics, starts)
    runs = backlogs(everybody, topics, traffic, started, rounds)
    report.show(console, runs, started)
    return report.as_json(runs, started)


def measure_latency(topics: Topics, seconds: float) -> dict[str, Any]:
    latencies = []
    for layout in latency.LAYOUTS:
        with console.status(f"interactions come for {seconds:g} s: {layout}"):
            latencies.append(latency.latency(topics, seconds, layout))
    report.show_latencies(console, latencies)
    return report.latencies_as_json(latencies)


def measure_guests(topics: Topics, seconds: float, calls: int) -> dict[str, Any]:
    latencies = []
    for layout in guests.LAYOUTS:
        with console.status(f"guests write for {seconds:g} s: {layout}"):
            latencies.append(guests.latency(topics, seconds, layout))
    with console.status(f"one routing worker makes {calls:,} calls"):
        sustained = guests.sustained(topics, calls)
    report.show_guests(console, latencies, sustained)
    return report.guests_as_json(latencies, sustained)


def measure_dashboards(bootstrap: str) -> dict[str, Any]:
    with console.status("one worker puts dashboards into CXone"):
        updates = dashboards.measure(bootstrap, told=console.print)
    report.show_dashboards(console, updates)
    return report.dashboards_as_json(updates)


def measure_growth(topics: Topics, logs: Path, events: int, plot: Path | None) -> dict[str, Any]:
    found = growth.measure(points(events), topics, logs, console.print)
    figures = growth_report.as_json(found)
    growth_report.show(console, figures)
    if plot is not None:
        plot.write_text(growth_plot.svg(figures))
    return figures


def cold_starts(everybody: Sequence[Contender], topics: Topics, number: int) -> list[Start]:
    found = []
    for _ in range(number):
        for contender in everybody:
            with console.status(f"cold start on {KAFKA}: {contender.name}, {contender.job}"):
                topics.fresh([contender.input, *contender.writes], contender.groups)
                found.append(measure.start(contender, topics, KAFKA))
    return found


def cold_starts_embedded(everybody: Sequence[Contender], number: int) -> list[Start]:
    """Stock Faust is left out: it has no embedded broker."""
    found = []
    for contender in [one for one in everybody if one.name == OURS] * number:
        with (
            console.status(f"cold start on {EMBEDDED}: {contender.job}"),
            closing(EmbeddedBroker()) as broker,
            closing(Topics(broker.bootstrap_servers)) as topics,
        ):
            topics.touch(topology.topics())
            found.append(measure.start(contender, topics, EMBEDDED))
    return found


def backlogs(
    everybody: Sequence[Contender], topics: Topics, traffic: Traffic, started: Sequence[Start], rounds: int
) -> list[Run]:
    with console.status("filling the topics"):
        topics.fresh([RAW_INTERACTIONS, STOCK_RAW], [])
        topics.publish(traffic.records(RAW_INTERACTIONS.name, STOCK_RAW.name))
        if PEERS_FRAMES in [contender.input for contender in everybody]:
            topics.fresh([PEERS_FRAMES], [])
            topics.publish(once(traffic.events))
    runs = []
    for number in range(rounds):
        for contender in everybody:
            with console.status(f"round {number + 1} of {rounds}: {contender.name}, {contender.job}"):
                topics.fresh(contender.writes, contender.groups)
                truth = traffic.stock_truth if contender.name == STOCK else traffic.truth
                same = [one for one in started if one.broker == KAFKA and one.job == contender.job]
                runs.append(measure.run(contender, topics, truth, [one for one in same if one.name == contender.name]))
    return runs


if __name__ == "__main__":
    typer.run(main)
