"""What is asked for next, of which partitions, and how much of it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from aiokafka.consumer.subscription_state import SubscriptionState
from faust.types import TP

from streams.runtime.driver import fetching
from streams.runtime.driver.fetching import fetcher_class

A, B, C = (TP("topic", partition) for partition in range(3))
ROOM = 1_000_000


class Client:
    """Knows leaders; answers a fetch with `answer`."""

    _metadata_max_age_ms = 30_000

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.leaders: dict[TP, int | None] = {}
        self.answer: Any = None
        self.listeners: list[Any] = []
        self.cluster: Any = SimpleNamespace(
            leader_for_partition=lambda tp: self.leaders.get(tp, 1), add_listener=self.listeners.append
        )

    async def send(self, _node: int, _request: object, group: int) -> Any:
        return self.answer


class Rig:
    """A fetcher whose own routine does not run: `ask` is one turn of it."""

    def __init__(self) -> None:
        self.subscriptions: Any = SubscriptionState()
        self.subscriptions.subscribe({"topic"})
        self.client = Client()
        self.fetcher = fetcher_class(("topic",), ROOM)(self.client, self.subscriptions, max_partition_fetch_bytes=100)
        self.fetcher._fetch_task.cancel()

    def assign(self, *tps: TP) -> None:
        self.subscriptions.assign_from_subscribed(set(tps))
        for tp in tps:
            self.state(tp).seek(0)

    def state(self, tp: TP) -> Any:
        return self.subscriptions.subscription.assignment.state_value(tp)

    def ask(self) -> dict[int, tuple[dict[TP, int], frozenset[TP]]]:
        """Return what is asked of each node, and answer that there is nothing."""
        requests, *_ = self.fetcher._get_actions_per_node(self.subscriptions.subscription.assignment)
        found = {node: (dict(request.session.changed), request.session.forgotten) for node, request in requests}
        for node in found:
            self.fetcher._sessions[node].answered(7, 1)
        return found

    def buffer(self, tp: TP, number: int) -> None:
        """Have so many bytes of a partition in hand."""
        self.fetcher._records[tp] = SimpleNamespace(bytes=number, calculate_backoff=lambda: 0)


@asynccontextmanager
async def rig(*tps: TP) -> AsyncIterator[Rig]:
    found = Rig()
    found.assign(*tps)
    yield found
    await asyncio.gather(found.fetcher._fetch_task, return_exceptions=True)


def nothing() -> dict[int, tuple[dict[TP, int], frozenset[TP]]]:
    return {1: ({}, frozenset())}


async def test_a_fetch_names_partitions_that_are_new_sought_or_handed_out() -> None:
    async with rig(A, B, C) as fetches:
        assert fetches.ask() == {1: ({A: 0, B: 0, C: 0}, frozenset())}
        assert fetches.ask() == nothing()

        fetches.fetcher.seek_to(B, 9)
        assert fetches.ask() == {1: ({B: 9}, frozenset())}

        fetches.buffer(A, 10)
        assert fetches.ask() == {1: ({}, frozenset({A}))}
        fetches.state(A).consumed_to(5)
        del fetches.fetcher._records[A]
        assert fetches.ask() == {1: ({A: 5}, frozenset())}


async def test_what_nobody_told_of_is_found_with_the_next_look_at_all() -> None:
    async with rig(A, B) as fetches:
        fetches.ask()
        fetches.state(A).consumed_to(5)
        fetches.client.leaders[B] = 2
        assert fetches.ask() == nothing()

        fetches.fetcher._looked = fetches.fetcher._looked[0], -fetching.LOOK_INTERVAL

        assert fetches.ask() == {1: ({A: 5}, frozenset({B})), 2: ({B: 0}, frozenset())}


async def test_what_is_handed_out_before_the_next_look_is_not_fetched_again() -> None:
    async with rig(A, B) as fetches:
        fetches.ask()
        fetches.client.answer = SimpleNamespace(
            API_VERSION=11, error_code=0, session_id=7, topics=[("topic", [(A.partition, 0, 5, 5, 0, [], -1, b"")])]
        )
        fetcher, assignment = fetches.fetcher, fetches.subscriptions.subscription.assignment

        await fetcher._proc_fetch_request(assignment, 1, SimpleNamespace())
        fetches.state(A).consumed_to(5)

        assert fetches.ask() == {1: ({A: 5}, frozenset())}


async def test_partitions_that_are_left_alone_are_not_fetched_nor_kept() -> None:
    async with rig(A, B) as fetches:
        fetches.ask()
        fetches.buffer(A, 10)

        fetches.fetcher.left = frozenset({A, B})
        assert fetches.ask() == {}
        assert A not in fetches.fetcher._records

        fetches.fetcher.left = frozenset({B})
        assert fetches.ask() == {1: ({A: 0}, frozenset({B}))}


async def test_other_partitions_begin_a_session_of_their_own() -> None:
    async with rig(A, B) as fetches:
        fetches.ask()

        fetches.assign(B, C)

        assert fetches.ask() == {1: ({B: 0, C: 0}, frozenset())}


async def test_a_partition_without_a_position_is_reset_before_anything_is_fetched() -> None:
    async with rig(A, B) as fetches:
        fetches.ask()
        fetches.fetcher.request_offset_reset([A], -2)

        requests, resets, *_ = fetches.fetcher._get_actions_per_node(fetches.subscriptions.subscription.assignment)

        assert (requests, dict(resets)) == ([], {1: [A]})
        fetches.state(A).reset_to(3)
        assert fetches.ask() == {1: ({A: 3}, frozenset())}


async def test_a_partition_without_a_leader_is_asked_for_once_it_has_one() -> None:
    async with rig(A, B) as fetches:
        fetches.client.leaders[A] = -1
        requests, _, _, missing, _ = fetches.fetcher._get_actions_per_node(
            fetches.subscriptions.subscription.assignment
        )
        assert missing
        assert [request.session.changed for _, request in requests] == [{B: 0}]
        fetches.fetcher._sessions[1].answered(7, 1)

        fetches.client.leaders[A] = 1

        assert fetches.ask() == {1: ({A: 0}, frozenset())}


def room(fetches: Rig) -> Iterable[int]:
    assignment = fetches.subscriptions.subscription.assignment
    asked = dict(fetches.fetcher._get_actions_per_node(assignment)[0])
    return [asked[node]._max_bytes for node in sorted(asked)]


async def test_what_is_fetched_and_not_handed_out_is_bounded_over_all_partitions() -> None:
    async with rig(A, B, C) as fetches:
        assert room(fetches) == [ROOM]

        fetches.buffer(C, 300_000)
        assert room(fetches) == [ROOM - 300_000]

        fetches.buffer(B, ROOM - 300_010)
        assert room(fetches) == [], "too little to ask for"


async def test_each_broker_has_its_share_so_that_none_waits_for_another() -> None:
    async with rig(A, B, C) as fetches:
        fetches.client.leaders |= {B: 2}
        fetches.buffer(C, 300_000)

        assert room(fetches) == [ROOM // 2 - 300_000, ROOM // 2]


async def test_a_batch_that_is_larger_than_all_room_is_taken_by_itself() -> None:
    async with rig(A) as fetches:
        fetches.fetcher.most = 10

        assert room(fetches) == [10], "Kafka answers with one batch at least"


async def test_a_fetch_that_waits_gives_way_to_partitions_that_are_resumed() -> None:
    async with rig(A, B) as fetches:
        fetches.fetcher.left = frozenset({B})
        fetches.ask()
        waiting = fetches.fetcher._fetches[1] = asyncio.create_task(asyncio.sleep(60))
        fetches.fetcher._in_flight.add(1)
        await asyncio.sleep(0)

        fetches.state(A).consumed_to(5)
        fetches.fetcher._touched.add(A)
        fetches.ask()
        assert not waiting.cancelling(), "what was handed out is asked for with the next fetch"

        fetches.fetcher.left = frozenset()
        fetches.fetcher.look()
        fetches.ask()
        assert waiting.cancelling()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_a_fetch_waits_long_only_where_all_of_a_broker_s_partitions_are_in_it() -> None:
    async with rig(A, B) as fetches:
        fetches.fetcher._fetch_max_wait_ms = 1000

        def wait() -> int:
            ((_, request),) = fetches.fetcher._get_actions_per_node(fetches.subscriptions.subscription.assignment)[0]
            fetches.fetcher._sessions[1].answered(7, 1)
            found: int = request._max_wait_ms
            return found

        assert wait() == 1000
        fetches.buffer(A, 10)
        assert wait() == fetching.SHORT_WAIT
        del fetches.fetcher._records[A]
        assert wait() == 1000


@asynccontextmanager
async def quiet(*tps: TP) -> AsyncIterator[Rig]:
    """A rig whose broker has had nothing for a while, so that its next fetch waits long."""
    async with rig(*tps) as fetches:
        fetches.fetcher.quiet_wait = 5000
        fetches.ask()
        for _ in range(fetching.QUIET_AFTER):
            fetches.fetcher._sessions[1].answered(7, 1, news=False)
        yield fetches


def waits(fetches: Rig) -> list[int]:
    asked, *_ = fetches.fetcher._get_actions_per_node(fetches.subscriptions.subscription.assignment)
    return [request._max_wait_ms for _, request in asked]


async def test_a_fetch_of_what_is_quiet_waits_longer_until_something_comes() -> None:
    async with quiet(A, B) as fetches:
        assert waits(fetches) == [5000]

        fetches.fetcher._sessions[1].answered(7, 1)
        assert waits(fetches) == [500]


async def test_a_fetch_of_what_is_quiet_gives_way_to_all_that_is_wanted_beside_it() -> None:
    async with quiet(A, B) as fetches:
        fetches.client.leaders[B] = 2
        fetches.client.listeners[0](None)
        fetches.ask()
        for _ in range(fetching.QUIET_AFTER):
            fetches.fetcher._sessions[1].answered(7, 1, news=False)
        assert 5000 in waits(fetches)
        waiting = fetches.fetcher._fetches[1] = asyncio.create_task(asyncio.sleep(60))
        fetches.fetcher._in_flight.add(1)
        await asyncio.sleep(0)

        fetches.client.leaders[B] = 1
        fetches.client.listeners[0](None)
        fetches.ask()

        assert waiting.cancelling(), "B has another leader, as the client has heard"
        await asyncio.gather(waiting, return_exceptions=True)


async def test_a_fetch_of_what_is_quiet_gives_way_to_a_partition_that_has_no_position() -> None:
    async with quiet(A, B) as fetches:
        assert waits(fetches) == [5000]
        waiting = fetches.fetcher._fetches[1] = asyncio.create_task(asyncio.sleep(60))
        fetches.fetcher._in_flight.add(1)
        await asyncio.sleep(0)

        fetches.state(B).await_reset(0)
        fetches.fetcher._touched.add(B)
        fetches.ask()

        assert waiting.cancelling()
        await asyncio.gather(waiting, return_exceptions=True)
