"""`cxone-streams connect interactions` as a person or an orchestrator meets it."""

import asyncio
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from connectors.embedded import PARTITIONS, EmbeddedBroker
from connectors.simulator.faults import Faults, Refusal
from connectors.simulator.server import Simulation, serve
from connectors.simulator.traffic import Plan
from schemas.topics import DEAD_LETTERS, RAW_INTERACTIONS

ROOT = Path(__file__).parents[3]
SECRET = "w0rd-of-the-client"


def environment(**settings: str) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KAFKA_", "CXONE_", "STREAMS_", "INFLUX_", "SCHEMA_"))
    }
    return {**inherited, "PYTHONPATH": str(ROOT), "CXONE_CLIENT_ID": "simulator", **settings}


COMMAND = [sys.executable, "-m", "streams", "connect", "interactions"]


@contextmanager
def kafka() -> Iterator[str]:
    """An embedded broker with the connector's topics, which appear when somebody asks for them."""
    broker = EmbeddedBroker()
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    for topic in (RAW_INTERACTIONS, DEAD_LETTERS):
        admin.list_topics(topic.name, timeout=10)
    yield broker.bootstrap_servers
    broker.close()


async def start(tmp_path: Path, **settings: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *COMMAND, cwd=tmp_path, env=environment(**settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def test_wrong_settings_are_named_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"CXONE_CLIENT_SECRET={SECRET}\nKAFKA_SECURITY_PROTOCOL={SECRET[:4]}\n")

    process = await start(tmp_path, CXONE_INTERACTIONS_WS_URL=f"ws://a.example/?access_token={SECRET}")
    out, err = (text.decode() for text in await process.communicate())

    assert process.returncode == 2
    assert out == ""
    assert "CXONE_INTERACTIONS_WS_URL: must be encrypted" in err
    assert SECRET not in err
    assert "Traceback" not in err


async def test_a_dialect_without_its_organisation_is_refused(tmp_path: Path) -> None:
    process = await start(tmp_path, CXONE_CLIENT_SECRET=SECRET)
    _, err = await process.communicate()

    assert process.returncode == 2
    assert err.decode().startswith("CXONE_ORG_DOMAIN: is not set.")


async def test_refused_credentials_are_told_at_once(tmp_path: Path) -> None:
    with kafka() as bootstrap:
        async with serve(Simulation()) as cxone:
            process = await start(
                tmp_path,
                CXONE_CLIENT_SECRET=SECRET,
                CXONE_INTERACTIONS_TOKEN_URL=cxone.token_url,
                CXONE_INTERACTIONS_WS_URL=cxone.ws_url,
                KAFKA_BOOTSTRAP_SERVERS=bootstrap,
                KAFKA_CREATE_TOPICS="false",
            )
            _, err = await process.communicate()

    assert process.returncode == 2
    assert "CXone refused the credentials or the scope (401): check CXONE_CLIENT_ID" in err.decode()
    assert SECRET not in err.decode()
    assert "Traceback" not in err.decode()


async def test_frames_reach_kafka_and_sigterm_is_obeyed(tmp_path: Path) -> None:
    faults = Faults(token=Refusal(status=503, times=1))
    plan = Plan(rate=5000, number=500, redelivered=0)
    with kafka() as bootstrap:
        async with serve(Simulation(plan=plan, faults=faults)) as cxone:
            process = await start(
                tmp_path,
                CXONE_CLIENT_SECRET="simulator-secret",
                CXONE_INTERACTIONS_TOKEN_URL=cxone.token_url,
                CXONE_INTERACTIONS_WS_URL=cxone.ws_url,
                KAFKA_BOOTSTRAP_SERVERS=bootstrap,
                KAFKA_CREATE_TOPICS="false",
            )
            assert process.stdout is not None
            ready = orjson.loads(await process.stdout.readline())
            async with httpx.AsyncClient() as client:
                while not (await client.get(cxone.ledger_url)).json()["finished"]:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.02)
                readiness = await client.get(f"http://{ready['http']}/readyz")
                metrics = (await client.get(f"http://{ready['http']}/metrics")).text
            process.send_signal(signal.SIGTERM)
            _, err = await process.communicate()
        on_kafka = written(bootstrap)

    assert process.returncode == 0
    assert ready["ready"] == ["connect interactions"]
    assert readiness.status_code == 200
    assert 'cxone_socket_open{connector="interactions"} 1.0' in metrics
    assert on_kafka == 501  # the frames, and the confirmation of the subscription
    lines = [orjson.loads(line) for line in err.splitlines()]
    assert [line["event"] for line in lines][:2] == ["no token yet", "connected"]
    assert {line["connector"] for line in lines} == {"interactions"}
    assert "access_token" not in err.decode()
    assert "simulator-secret" not in err.decode()


def written(bootstrap: str) -> int:
    """Count the records on both topics."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "count", "log_level": 0})
    total = 0
    for topic in (RAW_INTERACTIONS.name, DEAD_LETTERS.name):
        for partition in range(PARTITIONS):
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            total += high - low
    consumer.close()
    return total
