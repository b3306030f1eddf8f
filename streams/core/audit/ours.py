"""The audit trail -> which changes of dashboards are ours. Pure.

An intent is on the trail before its request is sent. So whoever has read the trail to its end after he heard of a
change knows the attempt that may have made it, and waits only for what became of that one.
"""

from collections import OrderedDict

from schemas.records.audit import AuditRecord

REMEMBERED = 100_000  # ETags


class Ours:
    """What our attempts led to."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._etags: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._open: dict[str, str] = {}  # dashboard -> attempt

    def take(self, record: AuditRecord) -> None:
        """Take a record; those of a dashboard come in order, and may come twice."""
        name = record.dashboard_id
        if record.etag_after is not None:
            self._etags[name, record.etag_after] = None
            while len(self._etags) > self._remembered:
                self._etags.popitem(last=False)
        if record.kind == "intent":
            self._open[name] = record.attempt
        elif self._open.get(name) == record.attempt and (record.kind == "settled" or record.status != "unknown"):
            del self._open[name]

    def made(self, dashboard: str, etag: str | None) -> bool:
        """Whether an attempt of ours led to this ETag. Without one nobody can tell: then it did not."""
        return etag is not None and (dashboard, etag) in self._etags

    def open(self, dashboard: str) -> str | None:
        """Return the attempt of which nobody knows yet what became."""
        return self._open.get(dashboard)
