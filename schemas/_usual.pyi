from collections.abc import Callable, Sequence

from schemas.records import InteractionCompleted

class Frames:
    def __init__(
        self,
        paths: tuple[tuple[str, ...], ...],
        types: tuple[str, ...],
        header: bytes,
        earliest: int,
        clock_skew: int,
        longest: float,
        longest_text: int,
    ) -> None: ...
    def read(self, value: bytes, arrived: int, /) -> tuple[bytes, bytes, bytes, int] | None: ...

class Hours:
    def __init__(
        self, alike: set[bytes], record: Callable[..., InteractionCompleted], hour: int, longest: float, end: int
    ) -> None: ...
    def read(self, value: bytes, /) -> tuple[InteractionCompleted, tuple[str, int], int] | None: ...

def source(headers: Sequence[tuple[str, bytes]], /) -> tuple[int, int, int] | None: ...
