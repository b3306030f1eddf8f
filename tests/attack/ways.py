"""What all attacks have in common: six ways, taken at random."""

import gzip
from collections.abc import Sequence
from random import Random

HOST = "127.0.0.1"
WAYS = ("slow", "endless", "bombed", "cut", "mistyped", "echoed")
BOMB = gzip.compress(gzip.compress(b" " * 200_000_000, 9), 9)


class Bag:
    """Gives what is in it in a random order, and then again in another: nothing is left out by chance."""

    def __init__(self, things: Sequence[str], random: Random) -> None:
        self._things, self._random = things, random
        self._left: list[str] = []

    def take(self) -> str:
        if not self._left:
            self._left = self._random.sample(self._things, len(self._things))
        return self._left.pop()
