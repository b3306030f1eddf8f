"""Which campaigns there are, and how busy and how talkative each of them is."""

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from random import Random

# Legal campaign ids that break careless keys, file names and line protocol.
NASTY = (
    "sales, outbound",
    "tier=gold",
    'the "VIP" desk',
    "back\\slash",
    "ends in a backslash\\",
    "two at the end\\\\",
    "comma\\, escaped",
    "☎️ Kündigung 🦊",
    "  spaces around  ",
    "two\nlines",
    "pipe|and%0Apercent",
    "O'Neill; DROP TABLE",
)
ZIPF_EXPONENT = 1.1


@dataclass(frozen=True, slots=True)
class Campaign:
    """`handle` and `wait` are the medians of its durations in seconds."""

    id: str
    name: str
    handle: float
    wait: float


class Campaigns:
    """A fixed population, drawn by Zipf: the first is the busiest, every third of the busy ones has a nasty id."""

    def __init__(self, number: int, rng: Random) -> None:
        self._all = [_campaign(rank, rng) for rank in range(number)]
        self._weights = list(accumulate((rank + 1) ** -ZIPF_EXPONENT for rank in range(number)))

    def draw(self, rng: Random) -> Campaign:
        return self._all[bisect(self._weights, rng.random() * self._weights[-1])]


def _campaign(rank: int, rng: Random) -> Campaign:
    number, rest = divmod(rank, 3)
    nasty = rest == 1 and number < len(NASTY)
    identifier = NASTY[number] if nasty else f"campaign-{rank + 1:03}"
    return Campaign(
        id=identifier,
        name=f"Campaign {rank + 1}",
        handle=rng.uniform(90, 480),
        wait=rng.uniform(5, 60),
    )
