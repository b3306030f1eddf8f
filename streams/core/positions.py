"""Where a record came from: the position of the raw frame behind it."""

from schemas.envelope import SOURCE_POSITION, Record

LONGEST_PARTITION, LONGEST_OFFSET = 10, 18  # digits: what is stored of them are 64 bits
OWN = -1  # in place of a raw partition: the record carries no source position and stands for itself

Positions = dict[int, int]  # raw partition -> highest raw offset


def source_position(record: Record) -> tuple[int, int]:
    """Return (raw partition, raw offset) of a record.

    A record without the header, or with one that is no position, stands for itself: (OWN, its offset).
    """
    for name, value in record.headers:
        if name == SOURCE_POSITION:
            if value is None:
                break
            partition, _, offset = value.partition(b":")
            short = len(partition) <= LONGEST_PARTITION and len(offset) <= LONGEST_OFFSET
            if short and partition.isdigit() and offset.isdigit():
                return int(partition), int(offset)
            break
    return OWN, record.offset
