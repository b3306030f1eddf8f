"""When a frame arrived, by the connector that took it."""

from schemas.envelope import RECEIVED_AT, Record

LONGEST_TIME = 15  # digits of a time in milliseconds


def received_at(record: Record) -> int:
    """Return when a connector received a frame (ms): as it says, but not after the broker had it."""
    for name, value in record.headers:
        if name == RECEIVED_AT and value and value.isdigit() and len(value) <= LONGEST_TIME:
            return min(int(value), record.timestamp)
    return record.timestamp
