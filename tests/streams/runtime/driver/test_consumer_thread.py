"""What the group's answers mean for the partitions."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import group_coordinator
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.group import HeartbeatRequest

from streams.runtime.driver.consumer_thread import GroupCoordinator
from streams.runtime.lease import Lease

REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID = 27, 22, 25, 82


class App:
    def __init__(self) -> None:
        self.time = 100.0
        self.lease = Lease(12.0, clock=lambda: self.time)
        self.lost: list[str] = []

    def lose(self, why: str) -> None:
        self.lease.end(why)
        self.lost.append(why)


class Group:
    """A group that answers every request alike."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app, self.answer = App(), SimpleNamespace(error_code=0, topics=[])
        self.coordinator: Any = object.__new__(GroupCoordinator)
        self.coordinator._subscription = SimpleNamespace(app=self.app)

        async def send(_coordinator: object, _request: object) -> object:
            return self.answer

        monkeypatch.setattr(group_coordinator.GroupCoordinator, "_send_req", send)

    async def heartbeat(self, error: int) -> None:
        self.app.time += 1
        self.answer.error_code = error
        await self.coordinator._send_req(HeartbeatRequest("g", 5, "m"))

    async def commit(self, *errors: int) -> None:
        self.answer.topics = [("topic", list(enumerate(errors)))]
        await self.coordinator._send_req(OffsetCommitRequest("g", 5, "m", -1, []))


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Group:
    return Group(monkeypatch)


@pytest.mark.parametrize("error", [0, REBALANCE_IN_PROGRESS])
async def test_an_answer_that_knows_the_member_confirms_the_lease(group: Group, error: int) -> None:
    group.app.time = 111.0
    await group.heartbeat(error)

    group.app.time = 122.0
    assert group.app.lease.held
    assert group.app.lost == []


@pytest.mark.parametrize("error", [ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID])
async def test_an_answer_that_does_not_know_the_member_ends_the_lease_at_once(group: Group, error: int) -> None:
    await group.heartbeat(0)
    await group.heartbeat(error)

    assert not group.app.lease.held
    assert len(group.app.lost) == 1
    await group.heartbeat(0)
    assert group.app.lease.held, "a member again"


async def test_a_commit_that_is_refused_for_its_generation_ends_the_lease(group: Group) -> None:
    await group.commit(0, 0)
    assert group.app.lost == []

    await group.commit(0, ILLEGAL_GENERATION)

    assert group.app.lost == ["ILLEGAL_GENERATION"]
