"""Who is told, and whose change it is; over loopback HTTP and without Kafka."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.sinks.settings import ForwardingSettings
from schemas.records import DashboardChange
from schemas.records.audit import AuditEntry, AuditRecord
from schemas.releases import FileSchemaIds
from streams.runtime.errors import WithdrawnError
from streams.runtime.schemas import StageCodec
from streams.stages.forwarding.app import Endpoints, Trail
from streams.stages.forwarding.change import Telling
from tests.support.hostile_http import answering, hostile, response

CHANGE = DashboardChange("d", "dashboard.updated", "Eve", '"2"', 0)
INTENT = AuditRecord("intent", "c.1", 0, "d", "UPDATE", "", None, None, None, "kim", '"1"', None)
APPLIED = replace(INTENT, kind="outcome", status="applied", etag_after='"2"')


class FakeApp:
    """What the stage asks of its app. `withdrawn` after so many pauses."""

    def __init__(self, pauses: int = 1000) -> None:
        self.resources: list[Any] = []
        self.pauses = pauses

    def using(self, resource: Any) -> Any:
        self.resources.append(resource)
        return resource

    async def pause(self, _seconds: float) -> None:
        await asyncio.sleep(0)
        self.pauses -= 1
        if self.pauses < 0:
            raise WithdrawnError


class FakeFollower:
    """A topic with these records, and those that are put into `later`."""

    def __init__(self, *records: AuditRecord) -> None:
        self._encode = StageCodec(FileSchemaIds()).encoder(AuditEntry)
        self.later: asyncio.Queue[AuditRecord] = asyncio.Queue()
        for record in records:
            self.later.put_nowait(record)

    async def values(self) -> AsyncIterator[bytes]:
        yield b"no entry"
        while True:
            record = await self.later.get()
            yield self._encode(AuditEntry(0, 1, 1, "", "", record))
            self.later.task_done()

    async def caught_up(self) -> None:
        await self.later.join()


async def made(app: FakeApp, follower: FakeFollower, *later: AuditRecord) -> bool:
    trail = Trail(app, follower, StageCodec(FileSchemaIds()))  # type: ignore[arg-type]
    running = asyncio.create_task(trail.run())
    asking = asyncio.create_task(trail.made(CHANGE))
    await asyncio.sleep(0.01)
    for record in later:
        follower.later.put_nowait(record)
    try:
        return await asking
    finally:
        running.cancel()


async def test_a_change_is_ours_when_the_trail_says_so() -> None:
    assert await made(FakeApp(), FakeFollower(INTENT, APPLIED))
    assert not await made(FakeApp(), FakeFollower(INTENT, replace(APPLIED, etag_after='"3"')))
    assert not await made(FakeApp(), FakeFollower())


@pytest.mark.parametrize("etag", ['"2"', '"3"', None])
async def test_an_attempt_without_an_outcome_is_waited_for(etag: str | None) -> None:
    settled = replace(APPLIED, kind="settled", etag_after=etag)

    assert await made(FakeApp(10**6), FakeFollower(INTENT), settled) is (etag == '"2"')


async def test_who_loses_the_partition_meanwhile_decides_nothing() -> None:
    with pytest.raises(WithdrawnError):
        await made(FakeApp(pauses=3), FakeFollower(INTENT))


async def test_another_attempt_leaves_out_who_has_settled_it() -> None:
    async with AsyncExitStack() as stack:
        peers = [
            await stack.enter_async_context(hostile(answering(*answers)))
            for answers in (
                [response(b"")],
                [response(b"", status="503 Away"), response(b"")],
                [response(b"not mine", status="422 No")],
            )
        ]
        app, troubles = FakeApp(), list[str | None]()
        urls = SecretStr(",".join(f"{peer.url}/s3cret" for peer in peers))
        settings = ForwardingSettings.model_construct(urls=urls, tokens=None, concurrency=2, timeout=5.0)
        endpoints, telling = Endpoints(app, settings, on_trouble=troubles.append), Telling(CHANGE)  # type: ignore[arg-type]

        first = await endpoints.tell(telling, "0-7")
        second = await endpoints.tell(telling, "0-7")
        for each in app.resources:
            await each.close()

    assert first == ["endpoint 2 of DASHBOARDS_FORWARD_URLS answered 503"]
    assert second == []
    assert telling.settled == {0: None, 1: None, 2: "422 not mine"}
    assert [len(peer.asked) for peer in peers] == [1, 2, 1]
    assert {asked.header("idempotency-key") for peer in peers for asked in peer.asked} == {"0-7"}
    assert set(troubles) == {None}


async def test_an_endpoint_that_repeats_its_url_tells_no_key() -> None:
    echo = response(b"Cannot POST /services/T0-B0-key?code=k3y-of-it", status="400 No")
    async with hostile(answering(echo)) as peer:
        app, urls = FakeApp(), SecretStr(f"{peer.url}/services/T0-B0-key?code=k3y-of-it")
        settings = ForwardingSettings.model_construct(urls=urls, tokens=None, concurrency=2, timeout=5.0)
        endpoints, telling = Endpoints(app, settings, on_trouble=lambda _: None), Telling(CHANGE)  # type: ignore[arg-type]
        await endpoints.tell(telling, "0-7")
        for each in app.resources:
            await each.close()

    assert telling.settled == {0: "400 Cannot POST ***?***"}
