"""What a worker says of itself, for Prometheus."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from streams.programs.figures import Figures
from streams.programs.health import HealthServer


@dataclass
class Stage:
    unready: str | None = None
    number: int | None = 3
    unsettled: float = 0.0
    done: Mapping[tuple[str, int], tuple[int, int]] = field(default_factory=dict)

    def why_not_alive(self) -> str | None:
        return None

    def why_not_ready(self) -> str | None:
        return self.unready

    def partitions(self) -> set[int]:
        return {0, 1}

    def source_partitions(self) -> int | None:
        return self.number

    def progress(self) -> Mapping[tuple[str, int], tuple[int, int]]:
        return self.done

    def unacknowledged(self) -> float:
        return self.unsettled


async def said(stages: Mapping[str, Stage]) -> dict[tuple[str, ...], float]:
    server = HealthServer(list(stages.values()), "127.0.0.1", 0, Figures(stages, stages))
    address = await server.start()
    async with ClientSession(f"http://{address}") as session, session.get("/metrics") as response:
        text = await response.text()
    await server.stop()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_readiness_partitions_and_lag_of_each_stage_are_told() -> None:
    crm = Stage("the CRM is away", unsettled=4.5, done={("t", 0): (7, 9), ("t", 1): (5, 4)})

    figures = await said({"crm": crm, "routing": Stage(number=None)})

    assert (figures["cxone_ready", "crm"], figures["cxone_ready", "routing"]) == (0, 1)
    assert (figures["cxone_partitions_owned", "crm"], figures["cxone_partitions", "crm"]) == (2, 3)
    assert ("cxone_partitions", "routing") not in figures, "its metadata are not known yet"
    assert (figures["cxone_lag_records", "0", "crm", "t"], figures["cxone_lag_records", "1", "crm", "t"]) == (2, 0)
    assert figures["cxone_acknowledged_offset", "0", "crm", "t"] == 7
    assert figures["cxone_unacknowledged_seconds", "crm"] == 4.5
    assert "process_start_time_seconds" in {name for name, *_ in figures}
