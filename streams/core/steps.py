"""Work that takes long, in steps that do not: whoever does it decides what goes on between two of them."""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]  # each step is short; T is what comes of all


def finish(steps: Steps[T]) -> T:
    """Do all steps at once; return what comes of them."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
