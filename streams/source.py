"""Where a record came from: the position of the raw frame behind it."""

from schemas.records import SOURCE_POSITION, Record

LONGEST = 24  # bytes of a position
OWN = -1  # in place of a raw partition: the record carries no source position and stands for itself

Positions = dict[int, int]  # raw partition -> highest raw offset


def source_position(record: Record) -> tuple[int, int]:
    """Return (raw partition, raw offset) of a record.

    A record without the header, or with one that is no position, stands for itself: (OWN, its offset).
    """
    for name, value in record.headers:
        if name == SOURCE_POSITION:
            partition, _, offset = (value or b"").partition(b":")
            if partition.isdigit() and offset.isdigit() and len(value) <= LONGEST:
                return int(partition), int(offset)
            break
    return OWN, record.offset
