"""aiokafka's fetcher, so that a fetch costs what it brings and not what there is: of many partitions few change.

aiokafka looks at every partition before each fetch, names it in the request, and finds it in the answer. Here the
partitions that something happened to are looked at, and all of them once in a second. What is fetched and not handed
out yet is bounded in bytes over all partitions.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from types import FunctionType, SimpleNamespace
from typing import Any

import structlog
from aiokafka import errors
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import UNKNOWN_OFFSET, OffsetResetStrategy
from aiokafka.protocol.fetch import FetchRequest
from faust.types import TP

from streams.runtime.driver import record_batches
from streams.runtime.driver.fetch_session import NO_SESSION, Asked, FetchSession

log = structlog.get_logger(component="fetching")

LOOK_INTERVAL = 0.9  # seconds between two looks at all partitions: less than an idle fetch waits
LOOK_AT_LAST = 1.5  # seconds without a look: more than an idle fetch waits, whose answer is looked at anyway
SHORT_WAIT = 50  # ms that a fetch waits at most while some of the broker's partitions are not in it
FETCHING, ASKING = (0, 2, 3), 4  # groups of connections; 1 is the coordinator's
QUIET_AFTER = 3  # answers in a row without news, after which a fetch may wait longer
WITH_SESSIONS = 7  # the first version of a fetch that has them
_NOBODY = {None, -1}
LEAST = 64 * 1024  # bytes: less room than this is not worth a fetch


def using(method: Any, **names: Any) -> Any:
    """Return a method of aiokafka's that finds other classes under these names of its module.

    aiokafka has no place to hand them in. Its modules stay as they are: other consumers of the process use them, too.
    """
    return FunctionType(method.__code__, {**method.__globals__, **names}, None, method.__defaults__)


class Request(FetchRequest):
    """Asks for what changed in a session."""

    def __init__(self, asked: Asked, fetch_bytes: int, *about: int) -> None:
        topics = _by_topic((tp, (tp.partition, at, fetch_bytes)) for tp, at in asked.changed.items())
        super().__init__(*about, topics)
        self.session = asked

    def build(self, request_struct_class: Any) -> Any:
        built: Any = super().build(request_struct_class)
        if request_struct_class.API_VERSION >= WITH_SESSIONS:
            built.session_id, built.session_epoch = self.session.id, self.session.epoch
            built.forgotten_topics_data = _by_topic((tp, tp.partition) for tp in self.session.forgotten)
        return built


def _by_topic(items: Iterable[tuple[TP, Any]]) -> list[tuple[str, list[Any]]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for tp, item in items:
        found[tp.topic].append(item)
    return list(found.items())


class FetchResult(record_batches.FetchResult):
    """Notes from where to where what it hands out leads, also where that is no record: markers, aborted ones."""

    moved: dict[TP, tuple[int, int]]  # of one consumer, set where its class is made

    def __init__(self, tp: TP, *, partition_records: Any, **rest: Any) -> None:
        super().__init__(tp, partition_records=partition_records, **rest)
        self.bytes: int = partition_records._records.size_in_bytes()  # noqa: SLF001

    def getall(self, max_records: int | None = None) -> list[Any]:
        tp = self._topic_partition
        state = self._assignment.state_value(tp)
        before = state._position  # noqa: SLF001 - None while it is reset
        records: list[Any] = super().getall(max_records)
        after = state._position  # noqa: SLF001 - as above
        if after != before:
            start, end = self.moved.get(tp, (before, before))
            self.moved[tp] = start if end == before else before, after
        return records


def fetcher_class(chunked: Collection[str], most: int, quiet_wait: int = 0) -> type[Any]:
    """Return the fetcher of one consumer, with records of `chunked` topics a batch at a time; the rest as there."""
    moved: dict[TP, tuple[int, int]] = {}
    names = {
        "FetchResult": type("FetchResult", (FetchResult,), {"moved": moved}),
        "PartitionRecords": record_batches.partition_records(chunked),
        "MemoryRecords": record_batches.MemoryRecords,
    }
    return type(
        "Fetcher",
        (Fetcher,),
        {
            "moved": moved,
            "most": most,
            "quiet_wait": quiet_wait,
            "fetched_records": using(fetcher.Fetcher.fetched_records, **names),
            "take": using(fetcher.Fetcher._proc_fetch_request, **names),  # noqa: SLF001
        },
    )


class Fetcher(fetcher.Fetcher):
    """Fetches in sessions.

    Attributes:
        most: bytes of records, as Kafka sends them, that may be asked for and not handed out, the same share of each
            broker's. A batch that is larger is taken by itself.
        quiet_wait: ms that a fetch waits at most where nothing has come for a while, if that is longer than others. It
            gives way to whatever else is wanted of that broker.
        left: partitions that are not fetched for now.
        moved: from where to where the positions of partitions went since this was emptied last.
    """

    most: int
    quiet_wait: int
    moved: dict[TP, tuple[int, int]]
    take: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._sessions: defaultdict[int, FetchSession] = defaultdict(FetchSession)
        self._node_of: dict[TP, int] = {}  # of what is wanted
        self._touched: set[TP] = set()  # partitions to look at
        self._buffered: set[TP] = set()  # at the last look
        self._looked: tuple[Any, float] = None, 0.0  # of the assignment, and when: the last look at all
        self._fetches: dict[int, asyncio.Task[Any]] = {}  # node -> the fetch that waits for its answer
        self._turn = 0  # which connection fetches
        self._urgent = False  # partitions were sought or resumed since the last look
        self.left: frozenset[TP] = frozenset()
        self._left: frozenset[TP] = frozenset()
        super().__init__(*args, **kwargs)
        self._fetcher_timeout = max(LOOK_AT_LAST, self.quiet_wait / 1000 + 0.5)  # what happens meanwhile wakes it
        self._quiet: set[int] = set()  # nodes whose fetch waits longer
        self._client.cluster.add_listener(self._see)

    def _see(self, _cluster: object) -> None:
        """Look at all partitions soon: leaders may be others."""
        self._looked = self._looked[0], 0.0
        self._notify(self._wait_consume_future)

    def look(self) -> None:
        """Look at what is left alone now; in the consumer's thread."""
        self._urgent = True
        self._notify(self._wait_consume_future)

    def heard_of(self, tp: TP) -> int:
        """Return when (ms) a fetch of a partition was answered last that had no news of it; -1 for never."""
        session = self._sessions.get(self._node_of.get(tp, -1))
        return -1 if session is None else session.heard_of(tp)

    def seek_to(self, tp: TP, offset: int) -> None:
        self._touched.add(tp)
        self._urgent = True
        super().seek_to(tp, offset)

    def request_offset_reset(self, tps: Collection[TP], strategy: int) -> Any:
        self._touched.update(tps)
        self._urgent = True
        return super().request_offset_reset(tps, strategy)

    async def _update_fetch_positions(self, assignment: Any, node_id: int, tps: Any) -> bool:
        """Ask for the committed offsets of all partitions at a time, aiokafka does for one after the other."""
        try:
            await _reset_to_committed([assignment.state_value(tp) for tp in tps], self._default_reset_strategy)
        except asyncio.CancelledError:  # as aiokafka does: the fetch ends, what waits for it goes on
            return False
        changed: bool = await super()._update_fetch_positions(assignment, node_id, tps)
        self._touched.update(tps)
        return changed

    def _get_actions_per_node(self, assignment: Any) -> Any:
        """Return what to do now, as aiokafka does: fetches, resets, seconds to wait, whether a leader is missing."""
        awaiting_reset: defaultdict[int, list[TP]] = defaultdict(list)
        missing = False
        for tp in self._to_look_at(assignment):
            missing |= self._look_at(tp, assignment.state_value(tp), awaiting_reset)
        waits: defaultdict[int, float] = defaultdict(float)
        in_hand: defaultdict[int, int] = defaultdict(int)  # bytes
        for tp, result in self._records.items():
            node = self._select_read_replica(tp)
            waits[node] = max(waits[node], result.calculate_backoff())
            in_hand[node] += getattr(result, "bytes", 0)
        asking = {node: session for node, session in self._sessions.items() if session.wanted}
        share = min(self.most // max(len(asking.keys() | in_hand.keys()), 1), self._fetch_max_bytes)
        requests = []
        for node, session in asking.items():
            if node in self._in_flight:
                self._hasten(node)
            elif not (node in awaiting_reset or waits.get(node)):
                taken = in_hand.get(node, 0)
                if share - taken >= min(LEAST, share) or not taken:
                    requests.append((node, self._request(node, session, share - taken, in_part=taken > 0)))
        self._urgent = False
        backoff = min(filter(None, waits.values()), default=self._fetcher_timeout)
        return requests, awaiting_reset, backoff, missing, []

    def _look_at(self, tp: TP, state: Any, awaiting_reset: Mapping[int, list[TP]]) -> bool:
        """Note what is to be done with a partition now. Returns whether its leader is missing."""
        node = self._select_read_replica(tp)
        if tp in self._records or tp in self._left or state.paused:
            self._want(tp, None)
        elif node in _NOBODY:
            self._want(tp, None)
            self._touched.add(tp)
            return True
        elif state.has_valid_position:
            self._want(tp, node)
            self._sessions[node].want(tp, state.position)
        else:
            self._want(tp, None)
            self._touched.add(tp)
            leader = self._client.cluster.leader_for_partition(tp)
            if leader in _NOBODY:
                return True
            if node not in self._in_flight:
                awaiting_reset[leader].append(tp)
            elif node in self._quiet and node in self._fetches:
                self._fetches[node].cancel()
        return False

    def _to_look_at(self, assignment: Any) -> Iterable[TP]:
        """Return the partitions that may have to be fetched otherwise than at the last look."""
        before, at = self._looked
        now = time.monotonic()
        tps: Iterable[TP] = assignment.tps
        if assignment is not before:
            for session in self._sessions.values():
                session.lost()  # what was under way is cancelled
            for tp in self._node_of.keys() - assignment.tps:
                self._want(tp, None)
        for tp in [tp for tp in self._records if tp in self.left]:
            del self._records[tp]  # others have use for the room
        if assignment is not before or now - at >= LOOK_INTERVAL:
            self._looked = assignment, now
        else:
            changed = self._touched | (self._buffered ^ self._records.keys()) | (self.left ^ self._left)
            tps = [tp for tp in changed if tp in assignment.tps]
        self._left, self._touched, self._buffered = self.left, set(), set(self._records)
        return tps

    def _want(self, tp: TP, node: int | None) -> None:
        before = self._node_of.get(tp)
        if before == node:
            return
        if before is not None:
            self._sessions[before].drop(tp)
            del self._node_of[tp]
        if node is not None:
            self._node_of[tp] = node

    def _hasten(self, node: int) -> None:
        """End a fetch that waits for records, if it stands before one of partitions that were sought or resumed."""
        if node in self._fetches and (self._urgent or node in self._quiet) and self._sessions[node].has_more:
            self._fetches[node].cancel()

    def _request(self, node: int, session: FetchSession, room: int, *, in_part: bool) -> Request:
        most, wait = self._max_partition_fetch_bytes, self._fetch_max_wait_ms
        self._quiet.discard(node)
        if in_part:
            wait = min(wait, SHORT_WAIT)
        elif session.nothing_new >= QUIET_AFTER and wait < self.quiet_wait and not session.has_more:
            wait = self.quiet_wait
            self._quiet.add(node)
        return Request(session.ask(), most, wait, self._fetch_min_bytes, room, self._isolation_level)

    async def _proc_offset_request(self, node_id: int, topic_data: Any) -> Any:
        """Ask on a connection that no fetch is waiting on: Kafka answers what came before first."""
        asking = copy(self)
        asking._client = _Asking(self._client)  # noqa: SLF001 - where aiokafka asks
        return await super(Fetcher, asking)._proc_offset_request(node_id, topic_data)

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Request) -> bool:
        session, own = self._sessions[node_id], asyncio.current_task()
        assert own is not None  # noqa: S101 - aiokafka makes it
        self._fetches[node_id] = own
        try:
            response = await self._client.send(node_id, request, group=FETCHING[self._turn])
        except errors.KafkaError as failure:
            log.error("a fetch failed", node=node_id, reason=str(failure))  # noqa: TRY400 - it says it all
            response = None
        except asyncio.CancelledError:  # closing, or other partitions
            session.lost()
            self._turn = (self._turn + 1) % len(FETCHING)  # what follows is not to stand behind it
            return False
        finally:
            del self._fetches[node_id]
        if response is None:
            session.lost()
            await asyncio.sleep(self._retry_backoff)
            return False
        named = NO_SESSION
        if response.API_VERSION >= WITH_SESSIONS:
            named = response.session_id
            if response.error_code:  # of the session: nothing else is in it
                session.lost()
                return False
        session.answered(named, int(1000 * time.time()), news=bool(response.topics))
        positions: list[tuple[str, list[tuple[int, int, int]]]] = []
        for topic, partitions in response.topics:
            tps = [TP(topic, partition) for partition, *_ in partitions]
            # Their records may be in hand and handed out before the next look, which would see nothing of it.
            self._touched.update(tps)
            positions.append((topic, [(tp.partition, session.asked.get(tp, -1), 0) for tp in tps]))
        taking = copy(self)
        taking._client = _Answered(self._client, response)  # noqa: SLF001 - where aiokafka asks
        taken: bool = await self.take.__get__(taking)(assignment, node_id, SimpleNamespace(topics=positions))
        return taken


class _Answered:
    """aiokafka's client, for a request that is answered already."""

    def __init__(self, client: Any, response: Any) -> None:
        self._client, self._response = client, response

    async def send(self, _node_id: int, _request: object) -> Any:
        return self._response

    def force_metadata_update(self) -> Any:
        return self._client.force_metadata_update()


class _Asking:
    """aiokafka's client, on a connection of its own."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def send(self, node_id: int, request: object) -> Any:
        return await self._client.send(node_id, request, group=ASKING)


async def _reset_to_committed(states: Sequence[Any], otherwise: int) -> None:
    """Set partitions that have no position yet to what is committed, or to `otherwise` where nothing is."""
    fresh = [state for state in states if not (state.has_valid_position or state.awaiting_reset)]
    committed = await asyncio.gather(*(state.fetch_committed() for state in fresh))
    for state, found in zip(fresh, committed, strict=True):
        if state.has_valid_position or state.awaiting_reset:
            continue  # sought meanwhile
        if found.offset != UNKNOWN_OFFSET:
            state.reset_to(found.offset)
        elif otherwise != OffsetResetStrategy.NONE:
            state.await_reset(otherwise)
