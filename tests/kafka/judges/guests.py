"""What became of the guests' messages, by the topics and by the callee's own ledgers."""

import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from confluent_kafka import KafkaException

from schemas.avro import Codec
from schemas.dead_letters import DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.envelope import SOURCE_POSITION
from schemas.records import GuestMessage, GuestThrottled, RoutingResult
from schemas.releases import FileSchemaIds
from schemas.topics import (
    DEAD_LETTERS,
    GUEST_ADMITTED,
    GUEST_MESSAGES,
    GUEST_THROTTLED,
    RAW_MESSAGES,
    ROUTING_RESULTS,
    ROUTING_RETRIES,
)
from streams.core.calls.job import HISTORY
from streams.core.calls.ordered import GIVEN_UP
from streams.stages.routing.conversation import FORBIDDEN
from tests.kafka.judges.hours import lag, read
from tests.kafka.services.guest_traffic import ARCHIVED, GuestTraffic
from tests.kafka.services.workers import until

ATTEMPTS = 6
FLOW = (
    ("cxone-messages", RAW_MESSAGES.name),
    ("cxone-rate-limit", GUEST_MESSAGES.name),
    *(("cxone-routing", topic) for topic in (GUEST_ADMITTED.name, *(tier.name for tier in ROUTING_RETRIES))),
    ("cxone-crm", GUEST_ADMITTED.name),
)
ROUTED = FLOW[:-1]


class Callee:
    """The simulator: CXone's routing API and the CRM. `addresses` are what it prints."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses

    @property
    def settings(self) -> dict[str, str]:
        """What leads a worker to it."""
        return {
            "CXONE_CLIENT_ID": "simulator",
            "CXONE_CLIENT_SECRET": "simulator-secret",
            "CXONE_MESSAGING_TOKEN_URL": self._addresses["messaging_token_url"],
            "CXONE_MESSAGING_API_URL": self._addresses["messaging_token_url"].removesuffix("/oauth/v2/token"),
            "CRM_URL": self._addresses["crm_url"],
        }

    def fault(self, **faults: object) -> None:
        _fetch(self._addresses["faults_url"], orjson.dumps(faults))

    def counts(self, of: str) -> dict[str, Any]:
        """Return the counts of `routing` or `crm`."""
        counts: dict[str, Any] = orjson.loads(_fetch(self._addresses[f"{of}_ledger_url"]))
        return counts

    def rows(self, of: str) -> list[dict[str, Any]]:
        """Return the keys of `routing`, or the records of `crm`."""
        path = {"routing": "/keys", "crm": "/records"}[of]
        return [orjson.loads(line) for line in _fetch(self._addresses[f"{of}_ledger_url"] + path).splitlines()]


def await_settled(bootstrap: str, within: float, flow: Sequence[tuple[str, str]] = FLOW) -> None:
    """Wait until every group of `flow` has committed all that it reads, the retry tiers too."""

    def settled() -> bool:
        try:
            return not any(lag(bootstrap, group, topic) for _ in range(2) for group, topic in flow)  # records move
        except KafkaException:
            return False

    until(settled, within, f"{dict(flow).keys()} have committed all of their topics")


class Verdict:
    """All that there is to compare once everything is settled.

    `mistakes` has a sentence for each kind of difference; `figures` are to be printed.
    """

    def __init__(self, bootstrap: str, callee: Callee, traffic: GuestTraffic) -> None:
        self._bootstrap, self._traffic = bootstrap, traffic
        self._codec = Codec(FileSchemaIds())
        self.routing, self.crm = callee.counts("routing"), callee.counts("crm")
        self.mistakes: list[str] = []
        self.figures: dict[str, object] = {"sent": len(traffic.admitted) + len(traffic.throttled)}
        self._keys = {row["key"]: row for row in callee.rows("routing")}
        self._positions = self._limited()
        self._given_up = self._dead()
        self._routed()
        self._told(callee.rows("crm"))

    def _limited(self) -> dict[int, set[str]]:
        """Each message is admitted or throttled, as the rule says."""
        traffic, positions = self._traffic, defaultdict[int, set[str]](set)
        published = read(self._bootstrap, GUEST_ADMITTED.name)
        decode = self._codec.decoder(GuestMessage)
        for record in published:
            positions[_number(decode(record.value()))].add(_header(record, SOURCE_POSITION))
        self._same("admitted", positions, traffic.admitted)
        self._none("admitted with two source positions", (n for n, found in positions.items() if len(found) > 1))
        refused = [
            self._codec.decoder(GuestThrottled)(it.value()) for it in read(self._bootstrap, GUEST_THROTTLED.name)
        ]
        allowed = {_number(message): message.allowed_at for message in refused}
        self._same("throttled", allowed, traffic.throttled)
        wrong = (n for n in allowed.keys() & traffic.throttled.keys() if allowed[n] != traffic.throttled[n])
        self._none("throttled until another time", wrong)
        again = len(published) + len(refused) - len(positions) - len(allowed)
        self.figures |= {"admitted": len(positions), "throttled": len(allowed), "published again": again}
        return positions

    def _dead(self) -> set[int]:
        """Return the dead letters of routing; each has one of two reasons."""
        decode, malformed = self._codec.decoder(GuestMessage), set[str]()
        dead: dict[str, set[int]] = {GIVEN_UP: set(), FORBIDDEN: set()}
        for record in read(self._bootstrap, DEAD_LETTERS.name):
            stage, reason = _header(record, DEAD_STAGE), _header(record, DEAD_REASON)
            if stage == "messages":
                malformed.add(_header(record, DEAD_SOURCE))
            elif stage != "routing" or reason not in dead:
                self.mistakes.append(f"a dead letter of {stage}: {reason}")
            else:
                dead[reason].add(_number(decode(record.value())))
                attempts = len(orjson.loads(_header(record, HISTORY)))
                if reason == GIVEN_UP and attempts != ATTEMPTS:
                    self.mistakes.append(f"given up after {attempts} attempts")
        self._same("dead letters of messages", malformed, self._traffic.malformed)
        archived = {said.number for said in self._traffic.admitted.values() if said.queue == ARCHIVED}
        self._same("dead letters of the archived queue", dead[FORBIDDEN] | dead[GIVEN_UP] & archived, archived)
        self.figures |= {"malformed": len(malformed), "archived": len(dead[FORBIDDEN]), "given up": len(dead[GIVEN_UP])}
        return dead[FORBIDDEN] | dead[GIVEN_UP]

    def _routed(self) -> None:
        """Each admitted message is routed, or a dead letter, in order; and the results say what the callee says."""
        taken = {_number_of(row["text"]): row for row in self._keys.values() if row["order"] is not None}
        self._same("routed or dead letters", taken.keys() | self._given_up, self._traffic.admitted)
        # Taken by a call that a kill left unwritten, and then answered with errors: one call more than attempts.
        unwritten = {n for n in taken.keys() & self._given_up if taken[n]["calls"] > ATTEMPTS}
        self._none("routed and dead letters", taken.keys() & self._given_up - unwritten)
        wrong = (n for n, row in taken.items() if {row["key"].replace("-", ":")} != self._positions.get(n))
        self._none("called with another key than the source position", wrong)
        self._in_order("routed", sorted(taken.values(), key=lambda row: row["order"]), "conversation_id", "text")
        results = [self._codec.decoder(RoutingResult)(it.value()) for it in read(self._bootstrap, ROUTING_RESULTS.name)]
        self._same("results", {_number(result) for result in results} | unwritten, taken)
        for result in results:
            row = taken.get(_number(result), {"routing_id": None, "calls": 0})
            if result.routing_id != row["routing_id"] or result.attempts > row["calls"]:
                self.mistakes.append(f"{result} is not {row}")
        twice = len(results) - len(taken)
        if twice > self.routing["repeats"]:
            self.mistakes.append(f"{twice} results more than calls, and {self.routing['repeats']} repeated calls")
        self.figures |= {
            "routed": len(taken),
            "results again": twice,
            "attempts": _tally(it.attempts for it in results),
        }
        self.figures |= {name: self.routing[name] for name in ("calls", "statuses", "repeats", "unheard", "too_soon")}

    def _told(self, rows: list[dict[str, Any]]) -> None:
        """The CRM has each admitted message once, the newest of a conversation last."""
        self._same("records of the CRM", {_number_of(row["last_message"]) for row in rows}, self._traffic.admitted)
        self._none("twice in the CRM", (row["last_message"] for row in rows if row["times"] > 1))
        self._in_order("told to the CRM", rows, "external_id", "last_message")
        self.figures["crm"] = self.crm

    def _in_order(self, what: str, rows: Iterable[Mapping[str, str]], conversation: str, text: str) -> None:
        newest: dict[str, int] = {}
        for row in rows:
            number, before = _number_of(row[text]), newest.get(row[conversation], -1)
            if number < before:
                self.mistakes.append(f"{what}: {before} overtook {number} of {row[conversation]}")
            newest[row[conversation]] = max(number, before)

    def _same(self, what: str, found: Iterable[Any], expected: Iterable[Any]) -> None:
        there, wanted = set(found), set(expected)
        self._none(f"missing among {what}", wanted - there)
        self._none(f"too many among {what}", there - wanted)

    def _none(self, what: str, found: Iterable[Any]) -> None:
        if some := sorted(found):
            self.mistakes.append(f"{len(some)} {what}: {some[:10]}")


def _number(record: Any) -> int:
    return int(record.event_id.removeprefix("e-"))


def _number_of(text: str) -> int:
    return int(text.removeprefix("message "))


def _header(record: Any, name: str) -> str:
    value: bytes = dict(record.headers())[name]
    return value.decode()


def _tally(numbers: Iterable[int]) -> dict[int, int]:
    return dict(sorted(Counter(numbers).items()))


def _fetch(url: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        content: bytes = answer.read()
        return content
