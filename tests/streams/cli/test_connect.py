"""`cxone-streams connect` as a person or an orchestrator meets it."""

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
from websockets.asyncio.client import connect

from connectors.kafka.embedded import PARTITIONS, EmbeddedBroker
from connectors.simulator.analytics import traffic as analytics_traffic
from connectors.simulator.faults import Faults, Refusal
from connectors.simulator.interactions.traffic import Plan
from connectors.simulator.server import Addresses, Simulation, serve
from schemas.topics import DEAD_LETTERS, RAW_ANALYTICS, RAW_INTERACTIONS, RAW_MESSAGES, SUBSCRIPTIONS, TopicSpec
from streams.demo.processes import SETTINGS

ROOT = Path(__file__).parents[3]
SECRET = "w0rd-of-the-client"


def environment(**settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return {**inherited, "PYTHONPATH": str(ROOT), "CXONE_CLIENT_ID": "simulator", **settings}


@contextmanager
def kafka(*raw: TopicSpec) -> Iterator[str]:
    """An embedded broker with the connector's topics, which appear when somebody asks for them."""
    broker = EmbeddedBroker()
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    for topic in (*(raw or (RAW_INTERACTIONS,)), DEAD_LETTERS):
        admin.list_topics(topic.name, timeout=10)
    yield broker.bootstrap_servers
    broker.close()


async def start(tmp_path: Path, connector: str = "interactions", **settings: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams", "connect", connector),
        cwd=tmp_path,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def messaging_settings(cxone: Addresses, bootstrap: str) -> dict[str, str]:
    return {
        "CXONE_CLIENT_SECRET": "simulator-secret",
        "CXONE_MESSAGING_TOKEN_URL": cxone.messaging_token_url,
        "CXONE_MESSAGING_WS_URL": cxone.messaging_ws_url,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "KAFKA_CREATE_TOPICS": "false",
    }


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
        on_kafka = written(bootstrap, RAW_INTERACTIONS, DEAD_LETTERS)

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


async def test_a_missing_scope_is_named_at_the_start(tmp_path: Path) -> None:
    faults = Faults(scopes_withheld=("users:read", "webchat:read"))
    with kafka(RAW_MESSAGES) as bootstrap:
        async with serve(Simulation(faults=faults)) as cxone:
            process = await start(tmp_path, "messaging", **messaging_settings(cxone, bootstrap))
            out, err = (text.decode() for text in await process.communicate())

    assert process.returncode == 2
    assert out == ""
    assert "CXone gave a token without webchat:read and users:read: " in err
    assert "Traceback" not in err


async def test_guests_reach_kafka_although_the_first_token_is_refused(tmp_path: Path) -> None:
    faults = Faults(auth=Refusal(status=401, times=1))
    number = 50
    with kafka(RAW_MESSAGES) as bootstrap:
        async with serve(Simulation(faults=faults)) as cxone:
            process = await start(tmp_path, "messaging", **messaging_settings(cxone, bootstrap))
            assert process.stdout is not None
            ready = orjson.loads(await process.stdout.readline())
            async with connect(cxone.guests_url) as guest, httpx.AsyncClient() as client:
                for index in range(number):
                    said = {"text": f"message {index}", "conversationId": "c-1", "fingerprint": "fp-1"}
                    await guest.send(orjson.dumps(said), text=True)
                while (await client.get(cxone.messages_ledger_url)).json()["inbound"] < number:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.02)
                metrics = (await client.get(f"http://{ready['http']}/metrics")).text
            process.send_signal(signal.SIGTERM)
            _, err = await process.communicate()
        frames = values(bootstrap, RAW_MESSAGES)

    assert process.returncode == 0
    assert ready["ready"] == ["connect messaging"]
    assert 'cxone_socket_open{connector="messaging"} 1.0' in metrics
    assert "cxone_messaging_received_total" in metrics
    contents = [orjson.loads(value) for _, value in frames]
    inbound = [content for content in contents if content["direction"] == "inbound" and content["type"] == "message"]
    assert [content["text"] for content in inbound] == [f"message {index}" for index in range(number)]
    assert {key for key, _ in frames} == {b"fp-1"}
    assert {content["type"] for content in contents} <= {"message", "typing"}  # no answer to a token
    lines = [orjson.loads(line) for line in err.splitlines()]
    assert [line["event"] for line in lines][:2] == ["not connected", "connected"]
    assert lines[0]["reason"] == "CXone refused the token"
    assert lines[0]["retry_in"] == 0
    assert {line["connector"] for line in lines} == {"messaging"}


def values(bootstrap: str, topic: TopicSpec) -> list[tuple[bytes | None, bytes]]:
    """Read keys and values of everything on a topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "read", "log_level": 0})
    consumer.assign([TopicPartition(topic.name, partition, 0) for partition in range(PARTITIONS)])
    read: list[tuple[bytes | None, bytes]] = []
    while len(read) < written(bootstrap, topic):
        message = consumer.poll(10)
        assert message is not None
        assert message.error() is None
        read.append((message.key(), message.value()))
    consumer.close()
    return read


def written(bootstrap: str, *topics: TopicSpec) -> int:
    """Count the records on topics."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "count", "log_level": 0})
    total = 0
    for topic in topics:
        for partition in range(PARTITIONS):
            low, high = consumer.get_watermark_offsets(TopicPartition(topic.name, partition), timeout=10)
            total += high - low
    consumer.close()
    return total


def analytics_settings(cxone: Addresses, bootstrap: str) -> dict[str, str]:
    return {
        "CXONE_CLIENT_SECRET": "simulator-secret",
        "CXONE_ANALYTICS_TOKEN_URL": cxone.analytics_token_url,
        "CXONE_ANALYTICS_API_URL": cxone.analytics_api_url,
        "CXONE_ANALYTICS_WS_URL": cxone.analytics_ws_url,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "KAFKA_CREATE_TOPICS": "false",
    }


async def test_a_field_that_cxone_has_not_is_named_at_the_start(tmp_path: Path) -> None:
    faults = Faults(eventsub_fields_refused=("metrics.queueTime",))
    with kafka(RAW_ANALYTICS, SUBSCRIPTIONS) as bootstrap:
        async with serve(Simulation(faults=faults)) as cxone:
            process = await start(tmp_path, "analytics", **analytics_settings(cxone, bootstrap))
            out, err = (text.decode() for text in await process.communicate())

    assert process.returncode == 2
    assert out == ""
    assert "CXone refused the event subscription (422): \"requestedFields: 'metrics.queueTime' is not a field" in err
    assert "Traceback" not in err


def together(before: dict[str, int], told: dict[str, int]) -> bool:
    """Tell whether two connectors are subscribed by one subscription, which is another than before."""
    again = told["subscriptions_made"] > before["subscriptions_made"]
    return bool(again and told["connectors"] == 2 and told["subscriptions"] == 1 and told["finished"])


async def test_two_connectors_share_a_subscription_and_make_another_when_it_is_forgotten(tmp_path: Path) -> None:
    analytics = analytics_traffic.Plan(rate=1000, number=200, redelivered=0, malformed=0)
    with kafka(RAW_ANALYTICS, SUBSCRIPTIONS) as bootstrap:
        async with serve(Simulation(analytics=analytics)) as cxone, httpx.AsyncClient() as client:

            async def counts() -> dict[str, int]:
                found: dict[str, int] = (await client.get(cxone.analytics_ledger_url)).json()
                return found

            settings = analytics_settings(cxone, bootstrap)
            processes = [await start(tmp_path, "analytics", **settings) for _ in range(2)]
            for process in processes:
                assert process.stdout is not None
                assert orjson.loads(await process.stdout.readline())["ready"] == ["connect analytics"]
            before = await counts()
            await client.post(cxone.faults_url, json={"forget": True})
            async with asyncio.timeout(60):
                while not together(before, await counts()):  # noqa: ASYNC110 - other processes
                    await asyncio.sleep(0.02)
            for process in processes:
                process.send_signal(signal.SIGTERM)
            errors = [(await process.communicate())[1].decode() for process in processes]
        frames = values(bootstrap, RAW_ANALYTICS)

    assert [process.returncode for process in processes] == [0, 0]
    assert before["subscriptions"] == 1
    assert {orjson.loads(value)["metadata"]["sequence"] for _, value in frames} == set(range(200))
    assert any("CXone refused the subscription, which it does not know" in err for err in errors)
    assert not any("simulator-secret" in err or "Bearer" in err for err in errors)
