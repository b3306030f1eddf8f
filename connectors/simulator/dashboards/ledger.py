"""What clients asked of the dashboards, and what others changed there, for judges. No I/O."""

import json
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import rfc8785

KEPT = 200_000  # writes and edits, of each so many; older ones are forgotten, counts go on


@dataclass(frozen=True, slots=True)
class Write:
    """One PUT or POST that arrived whole, whatever became of it.

    Attributes:
        order: its place among all writes and edits, from 1.
        at: seconds since the epoch.
        key: the header Idempotency-Key or CorrelationId, if it came with one.
        payload_hash: SHA-256 of the body in canonical JSON (RFC 8785); with `raw:` before it, of its bytes.
        status: what it was answered, or would have been.
        heard: False when the connection was cut instead of an answer, on request.
    """

    order: int
    at: float
    method: str
    dashboard_id: str
    key: str | None
    if_match: str | None
    payload_hash: str
    status: int
    etag_before: str | None
    etag_after: str | None
    heard: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody changed in CXone: the field at `path` (of widgets their titles)."""

    order: int
    at: float
    dashboard_id: str
    path: tuple[str | int, ...]
    value: Any
    by: str
    etag_after: str


class DashboardLedger:
    """Counts calls and remembers writes and edits."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._writes: deque[Write] = deque(maxlen=kept)
        self._edits: deque[Edit] = deque(maxlen=kept)
        self._order = 0
        self._statuses: dict[str, Counter[int]] = {"GET": Counter(), "PUT": Counter(), "POST": Counter()}
        self._busiest: Counter[int] = Counter()  # calls by second, the last one only
        self._most = 0
        self._closed_until = 0.0
        self.too_soon = self.blind = self.fields_dropped = self.cut = 0

    def called(self, now: float) -> None:
        """Note that a call arrived."""
        second = int(now)
        if second not in self._busiest:
            self._busiest.clear()
        self._busiest[second] += 1
        self._most = max(self._most, self._busiest[second])
        self.too_soon += now < self._closed_until

    def closed(self, until: float) -> None:
        """Note that a client was told to call no more before `until`."""
        self._closed_until = max(self._closed_until, until)

    def read(self, status: int) -> None:
        """Note the answer to a GET."""
        self._statuses["GET"][status] += 1

    def wrote(self, **write: Any) -> None:
        """Note a write: `Write` without its order."""
        self._order += 1
        row = Write(self._order, **write)
        self._statuses[row.method][row.status] += 1
        self._writes.append(row)

    def edited(self, **edit: Any) -> None:
        """Note an edit: `Edit` without its order."""
        self._order += 1
        self._edits.append(Edit(self._order, **edit))

    def counts(self) -> dict[str, Any]:
        """Return the counts so far.

        `taken`: writes answered 2xx, or cut after they were taken (`unheard`); `blind`: of them, over something that
        the client did not name by If-Match; `fields_dropped`: of them, without a field that CXone had; `cut`: requests
        whose client left before they were whole; `too_soon`: calls while a Retry-After was running; `most_a_second`:
        calls in one second.
        """
        writes = self._statuses["PUT"] + self._statuses["POST"]
        return {
            "writes": writes.total(),
            "taken": sum(number for status, number in writes.items() if status < 300),  # noqa: PLR2004
            "unheard": sum(not write.heard for write in self._writes),
            "blind": self.blind,
            "fields_dropped": self.fields_dropped,
            "cut": self.cut,
            "edits": len(self._edits),
            "too_soon": self.too_soon,
            "most_a_second": self._most,
            "statuses": {
                method: {str(status): number for status, number in sorted(counter.items())}
                for method, counter in self._statuses.items()
            },
        }

    def writes(self) -> Iterator[dict[str, Any]]:
        """Yield the writes in the order in which they came."""
        yield from map(asdict, list(self._writes))

    def edits(self) -> Iterator[dict[str, Any]]:
        """Yield what others changed, in order."""
        yield from map(asdict, list(self._edits))


def payload_hash(body: bytes) -> str:
    """Return the hash of a body, as `Write` has it."""
    try:
        return sha256(rfc8785.dumps(json.loads(body))).hexdigest()
    except (ValueError, RecursionError):
        return "raw:" + sha256(body).hexdigest()
