"""Forwarding on a real Kafka: each change of others reaches each endpoint, none of ours does, whoever is killed."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from http import HTTPStatus

from confluent_kafka import Producer

from connectors.kafka.topic_admin import TopicAdmin
from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.envelope import SOURCE_POSITION
from schemas.records import DashboardChange
from schemas.records.audit import AuditEntry, AuditRecord
from schemas.releases import FileSchemaIds
from schemas.topics import DASHBOARD_AUDIT, DASHBOARD_CHANGES
from streams.topology import topics
from tests.kafka.conftest import NewWorker
from tests.kafka.services.workers import until
from tests.support.hostile_http import Answering, Asked, HostilePeer, hostile

CODEC = Codec(FileSchemaIds())
INTENT = AuditRecord("intent", "c.1", 0, "", "UPDATE", "", None, None, None, "kim", '"1"', None)
KEY = "made-up-key-in-a-path"


class Kafka:
    """What the stages before this one would have written."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
        self._told = 0

    def audit(self, dashboard: str, *, etag: str | None = None) -> None:
        """An intent; with an ETag that it was applied."""
        record = replace(INTENT, dashboard_id=dashboard)
        if etag is not None:
            record = replace(record, kind="outcome", status="applied", etag_after=etag)
        entry = AuditEntry(0, 1, 1, "0" * 64, "0" * 64, record)
        self._producer.produce(DASHBOARD_AUDIT.name, CODEC.encoder(AuditEntry)(entry), dashboard)
        assert self._producer.flush(30) == 0

    def change(self, dashboard: str, etag: str) -> None:
        """CXone told of a change."""
        change = DashboardChange(dashboard, "dashboard.updated", "Eve", etag, time.time_ns() // 1_000_000)
        position = [(SOURCE_POSITION, b"0:%d" % self._told)]
        self._told += 1
        self._producer.produce(
            DASHBOARD_CHANGES.name, CODEC.encoder(DashboardChange)(change), dashboard, headers=position
        )
        assert self._producer.flush(30) == 0


def told(peer: HostilePeer) -> list[tuple[str, str]]:
    return [(found["dashboard_id"], found["etag"]) for found in (json.loads(each.body) for each in peer.asked)]


async def test_changes_of_others_reach_every_endpoint_though_one_is_away_and_the_worker_is_killed(
    own_kafka: Broker, new_worker: NewWorker
) -> None:
    TopicAdmin({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0}).create(topics(), partitions=1)
    before, statuses = Kafka(own_kafka.bootstrap), [HTTPStatus.SERVICE_UNAVAILABLE]

    def saying(status: Callable[[], int]) -> Answering:
        async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 %d It\r\nContent-Length: 0\r\n\r\n" % status())

        return answer

    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(hostile(saying(lambda: HTTPStatus.OK)))
        second = await stack.enter_async_context(hostile(saying(lambda: statuses[0])))
        worker = new_worker(
            own_kafka.bootstrap,
            "forwarding",
            DASHBOARDS_FORWARD_URLS=f"{first.url}/{KEY},{second.url}/{KEY}",
            DASHBOARDS_FORWARD_TOKENS=f"{KEY},",
            DASHBOARDS_FORWARD_RETRY_BASE="0.2",
            DASHBOARDS_FORWARD_RETRY_CAP="0.5",
        )
        for dashboard in ("ours", "open"):
            before.audit(dashboard)
        before.audit("ours", etag='"2"')
        for dashboard, etag in (("ours", '"2"'), ("open", '"3"'), ("theirs", '"8"')):
            before.change(dashboard, etag)
        await asyncio.to_thread(lambda: worker.start().ready())
        await asyncio.to_thread(until, lambda: len(second.asked) > 1, 60, "the second is tried again")
        worker.kill()

        statuses[0] = HTTPStatus.OK
        before.change("theirs", '"9"')
        await asyncio.to_thread(lambda: worker.start().ready())
        await asyncio.to_thread(until, lambda: told(second)[-1] == ("theirs", '"9"'), 60, "all is told")
        before.audit("open", etag='"3"')
        before.change("open", '"4"')
        await asyncio.to_thread(until, lambda: ("open", '"4"') in told(second), 60, "what came after ours is told")
        assert await asyncio.to_thread(worker.terminate) == 0, worker.said("not stopped in order")

    expected = [("theirs", '"8"'), ("theirs", '"9"'), ("open", '"4"')]
    assert list(dict.fromkeys(told(first))) == expected
    assert list(dict.fromkeys(told(second))) == expected
    assert told(second).count(("theirs", '"9"')) == 1
    keys = {(*each, asked.header("idempotency-key")) for each, asked in zip(told(second), second.asked, strict=True)}
    assert keys == {("theirs", '"8"', "0-2"), ("theirs", '"9"', "0-3"), ("open", '"4"', "0-4")}
    assert {asked.header("authorization") for asked in first.asked} == {f"Bearer {KEY}"}
    assert {asked.header("authorization") for asked in second.asked} == {None}
    assert KEY not in worker.said("")
