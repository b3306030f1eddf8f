from collections.abc import Callable, Sequence
from typing import Any

from schemas.envelope import Outgoing, Record

FORM: int

class Frames:
    def __init__(
        self,
        paths: tuple[tuple[tuple[str, ...], ...], ...],
        types: tuple[str, ...],
        header: bytes,
        outgoing: Callable[..., Outgoing],
        topic: str,
        earliest: int,
        clock_skew: int,
        longest: float,
        longest_text: int,
    ) -> None: ...
    def run(
        self,
        records: Sequence[Record],
        begin: int,
        partition: int,
        position: int,
        until: float,
        take: Callable[[int, int], int],
        first_time: Callable[[bytes], bool],
        /,
    ) -> tuple[int, list[Outgoing], list[bytes]]: ...

class Hours:
    def __init__(self, alike: set[bytes], hour: int, keep: int, longest: float, end: int, farthest: int) -> None: ...
    def run(
        self,
        records: Sequence[Record],
        begin: int,
        positions: dict[int, int],
        values: dict[Any, Any],
        changed: dict[Any, Any],
        /,
    ) -> int: ...
