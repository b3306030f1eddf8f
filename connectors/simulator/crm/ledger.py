"""The records that a stand-in CRM keeps, and how often it got them. No I/O."""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

KEPT = 200_000  # records, and as many keys: about 150 MB; older ones are forgotten


class Contact(BaseModel):
    """One record of a batch."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    external_id: str = Field(min_length=1)
    fingerprint: str | None
    last_message: str
    queued_at: str | int | float


BATCH = TypeAdapter(Annotated[list[Contact], Field(min_length=1)])


class ContactStore:
    """Takes a batch once per idempotency key, and counts the records that come again under another key."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._records: OrderedDict[Contact, int] = OrderedDict()
        self._statuses: Counter[int] = Counter()
        self._batches = 0
        self._repeats = 0
        self._records_repeated = 0
        self.unheard = 0

    def take(self, key: str, batch: Sequence[Contact]) -> None:
        if key in self._keys:
            self._repeats += 1
            return
        self._keys[key] = None
        self._batches += 1
        for contact in batch:
            times = self._records.get(contact, 0)
            self._records[contact] = times + 1
            self._records_repeated += times > 0
        while len(self._keys) > self._kept:
            self._keys.popitem(last=False)
        while len(self._records) > self._kept:
            self._records.popitem(last=False)

    def answered(self, status: int) -> None:
        self._statuses[status] += 1

    def counts(self) -> dict[str, Any]:
        """Return the counts so far.

        `batches`: different keys taken; `repeats`: calls of a key that was taken before; `unheard`: calls taken whose
        client was gone when the answer was due; `records`: different ones; `records_repeated`: those beyond, which came
        under another key; `contacts`: different values of `external_id`.
        """
        return {
            "calls": self._statuses.total(),
            "batches": self._batches,
            "repeats": self._repeats,
            "unheard": self.unheard,
            "records": len(self._records),
            "records_repeated": self._records_repeated,
            "contacts": len({contact.external_id for contact in self._records}),
            "statuses": {str(status): number for status, number in sorted(self._statuses.items())},
        }

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the records in the order in which they came, each with `times`: how often it was taken."""
        for contact, times in list(self._records.items()):
            yield {**contact.model_dump(), "times": times}
