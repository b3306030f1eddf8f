"""Laws: whatever workers do, whoever is killed when, the rows are those of a batch over all events."""

from random import Random

import pytest

from schemas.records import AnalyticsEvent
from tests.support.minute_flow import MINUTE, NOON, Flow, Life, batch, event, figures

PARTITIONS = 2
HOUR_LATER = NOON + 60 * MINUTE


def any_event(chance: Random) -> AnalyticsEvent:
    return event(
        NOON + chance.randrange(3 * MINUTE),
        interaction=chance.choice(["i1", "i2", "i3"]),
        agent=chance.choice(["a1", "a2", "ä", None]),
        queue=chance.choice([None, "", "q", "q|2"]),
        handle=chance.choice([None, chance.uniform(0, 4000)]),
        wait=chance.choice([None, 0.0, 0.1, 7.5]),
        state=chance.choice(["active", "active", "idle", "IDLE", None]),
        kind=chance.choice(["interaction", "interaction", "interaction", "agent"]),
    )


class Story:
    """Events arrive, workers come to something and are killed, all by chance."""

    def __init__(self, chance: Random) -> None:
        self.chance, self.flow = chance, Flow(PARTITIONS)
        self.arrived: list[list[AnalyticsEvent]] = [[] for _ in range(PARTITIONS)]
        self.zombies: list[Life] = []

    def arrive(self) -> None:
        at = self.chance.randrange(PARTITIONS)
        for _ in range(self.chance.randint(1, 4)):
            each = any_event(self.chance)
            self.flow.events[at].append(each, (at, len(self.arrived[at])))
            self.arrived[at].append(each)

    def arrive_again(self) -> None:
        """The stage before was killed, and publishes its last events once more."""
        at = self.chance.randrange(PARTITIONS)
        for offset in range(max(len(self.arrived[at]) - self.chance.randint(1, 3), 0), len(self.arrived[at])):
            self.flow.events[at].append(self.arrived[at][offset], (at, offset))

    def work(self) -> None:
        life = self.chance.choice([*self.flow.sources, self.flow.merging])
        life.fold(self.chance.randint(1, 5))
        life.flush(self.chance.choice([None, None, *range(8)]))

    def lose(self) -> None:
        """A worker loses its partition and does not know it."""
        zombie = self.flow.zombie(self.chance.randrange(PARTITIONS))
        zombie.fold(self.chance.randint(0, 5))
        self.zombies.append(zombie)

    def wake(self) -> None:
        if self.zombies:
            self.zombies.pop().flush()

    def end(self) -> None:
        self.flow.finish(HOUR_LATER, self.chance.choice([None, *range(12)]))
        self.flow.finish(HOUR_LATER)
        while self.zombies:  # what they write late changes nothing
            self.wake()
        self.flow.finish(HOUR_LATER)


@pytest.mark.parametrize("seed", range(60))
def test_law_rows_are_those_of_a_batch(seed: int) -> None:
    story = Story(Random(seed))
    for _ in range(40):
        step = story.chance.choices(
            [story.arrive, story.arrive_again, story.work, story.lose, story.wake], [4, 1, 8, 1, 1]
        )
        step[0]()
    story.end()

    newest = story.flow.newest()
    expected = batch(each for of_partition in story.arrived for each in of_partition)
    assert {key: figures(row) for key, row in newest.items() if row.events} == expected
    assert all(row.final and row.exact for row in newest.values())
    assert story.flow.dead == []
    first = min(minute for minute, _ in expected)
    assert {minute for minute, queue in newest if not queue} == set(range(first, HOUR_LATER - MINUTE, MINUTE))
    stands_for: dict[tuple[int, str, int], object] = {}
    for row in story.flow.rows:
        assert stands_for.setdefault((row.window, row.queue, row.revision), row) == row


@pytest.mark.parametrize("seed", range(10))
def test_law_a_replay_of_everything_comes_to_the_same(seed: int) -> None:
    story = Story(Random(seed))
    for _ in range(20):
        story.chance.choice([story.arrive, story.work])()
    story.arrive()
    story.end()
    before = story.flow.newest()

    again = Flow(PARTITIONS)
    for log, other in zip(story.flow.events, again.events, strict=True):
        other.events, other.records[:] = log.events, log.records
    again.finish(HOUR_LATER)

    assert {key: figures(row) for key, row in again.newest().items()} == {
        key: figures(row) for key, row in before.items()
    }
