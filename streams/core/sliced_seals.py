"""Additions by slice of time, whole slices forgotten: a changelog that grows by what is new.

A stage that publishes first and remembers afterwards seals what it has added since the last seal. Stored is one value
for each part of each slice that grew, under `slice|covered|part`. The last of a seal says that all of them are written,
and carries the stage's `head`. A seal that a kill cut short has no last value: until a later one covers it, its records
come again and it counts for nothing; after that it holds nothing that the later ones do not hold too.

Items that are found twice must therefore count once: they are the same, or tell themselves apart by their offsets.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from streams.core.contract import Change

Slice = tuple[int, ...]  # in the order in which slices are filled and forgotten


@dataclass(frozen=True, slots=True)
class Joining:
    """How parts of one slice are put together: a seal each second would leave thousands of small values.

    Args:
        item: bytes of one item; a part is a whole number of items, and means the same in every seal.
        largest: items in one value.
        small: a value of fewer items is put together with others of its slice...
        many: ...when there are so many of them.
    """

    item: int
    largest: int
    small: int
    many: int


_VALUE = struct.Struct("<?qI")  # whether it is the last of its seal, the last offset that the seal covers, head's bytes


class SlicedSeals:
    """What the seals of one partition have added.

    Attributes:
        covered: the last offset of which everything is stored, -1 at first.
        head: what the stage said about itself at that offset, empty at first.
    """

    def __init__(self, stored: Mapping[bytes, bytes], joining: Joining | None = None) -> None:
        """Begin with the {key: value} of an earlier life; without `joining` every part stays as it came."""
        self.covered, self.head = -1, b""
        self._joining = joining
        self._keys: dict[Slice, set[bytes]] = {}  # of what is stored of a slice
        self._small: dict[Slice, dict[bytes, bytes]] = {}  # slice -> {key: part} of its small values
        self._restored: list[tuple[Slice, int, bytes]] = []
        parts: list[tuple[Slice, int, bytes, bytes]] = []
        for key, value in stored.items():
            slice_ = tuple(map(int, key.partition(b"|")[0].split(b".")))
            self._keys.setdefault(slice_, set()).add(key)
            last, covered, head = _VALUE.unpack_from(value)
            body = _VALUE.size + head
            if last and covered > self.covered:
                self.covered, self.head = covered, value[_VALUE.size : body]
            parts.append((slice_, covered, key, value[body:]))
        for slice_, covered, key, part in sorted(parts):
            if covered <= self.covered:  # else a kill cut its seal short
                self._restored.append((slice_, covered, part))
                self._note(slice_, key, part)

    def restored(self) -> Iterator[tuple[Slice, int, bytes]]:
        """Yield (slice, last offset that its seal covers, part) of all that counts, in order; and let go of it."""
        restored, self._restored = self._restored, []
        return iter(restored)

    def seal(self, covered: int, added: Mapping[Slice, Sequence[bytes]], newest: Slice, head: bytes) -> list[Change]:
        """Return what stores everything up to the offset `covered`.

        Args:
            covered: higher than of the seal before.
            added: {slice: parts} since then; a part is as large as a value may be.
            newest: the slice that is filled now. None of `added` comes after it.
            head: what the next life has to know of the stage beside the parts.
        """
        self.covered = covered
        changes: list[Change] = []
        joined: list[bytes] = []  # keys of what other values hold now: they go when these are written
        for slice_ in sorted({newest, *added}):
            name, keys = b".".join(b"%d" % number for number in slice_), self._keys.setdefault(slice_, set())
            parts = self._join(slice_, added.get(slice_, ()), joined) or (b"",)
            for number, part in enumerate(parts):
                key = b"%b|%d|%d" % (name, covered, number)
                last = slice_ == newest and number == len(parts) - 1
                about = head if last else b""
                keys.add(key)
                self._note(slice_, key, part)
                changes.append(Change(key, _VALUE.pack(last, covered, len(about)) + about + part))
        return [*changes, *(Change(key, None) for key in joined)]

    def forget(self, before: Slice) -> list[Change]:
        """Return what deletes all slices before one."""
        gone = [slice_ for slice_ in self._keys if slice_ < before]
        for slice_ in gone:
            self._small.pop(slice_, None)
        return [Change(key, None) for slice_ in gone for key in self._keys.pop(slice_)]

    def _join(self, slice_: Slice, added: Sequence[bytes], joined: list[bytes]) -> Sequence[bytes]:
        """Return the parts to store, with the slice's small values if they are many; `joined` gets their keys."""
        if self._joining is None:
            return added
        small = self._small.get(slice_, {})
        if len(small) >= self._joining.many:
            joined += small
            self._keys[slice_] -= small.keys()
            added = [*self._small.pop(slice_).values(), *added]
        items, most = b"".join(added), self._joining.largest * self._joining.item
        return [items[begin : begin + most] for begin in range(0, len(items), most)]

    def _note(self, slice_: Slice, key: bytes, part: bytes) -> None:
        if self._joining is not None and len(part) < self._joining.small * self._joining.item:
            self._small.setdefault(slice_, {})[key] = part
