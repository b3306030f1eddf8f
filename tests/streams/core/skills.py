"""A keyed-rows stage as its author writes it: the interactions of a campaign in its last 24 hours, and the longest."""

from collections.abc import Callable

import msgspec

from schemas.envelope import Outgoing
from schemas.records import InteractionCompleted
from schemas.topics import INTERACTIONS_COMPLETED
from schemas.topics.spec import Cleanup, TopicSpec
from streams.core.contract import Refused
from streams.core.declaration import Declaration, Table
from streams.core.rule import Rule
from streams.core.times import END_OF_TIME, LONGEST_DURATION

HOUR = 3_600_000  # ms
DAY = 24 * HOUR
CAMPAIGN_SKILLS = TopicSpec(
    name="cxone.campaign.skills", key="campaign id", record="JSON: count, longest", cleanup=Cleanup.COMPACT
)
DECLARATION = Declaration(
    name="skills",
    reads=INTERACTIONS_COMPLETED,
    writes=(CAMPAIGN_SKILLS,),
    tables=(Table(name="values", key="partition | epoch | campaign", holds="hours", offsets=False),),
)


class Skill(msgspec.Struct):
    """The last 24 hours of a campaign that has any: {start of the hour: (interactions, longest handle time)}."""

    hours: dict[int, tuple[int, float]] = {}


class Skills(Rule[InteractionCompleted, str, Skill]):
    """Effectively once: each interaction counts once, whatever is killed. Ordered per campaign."""

    declaration, kind = DECLARATION, Skill
    keep = 8 * DAY

    def __init__(self, decode: Callable[[bytes], InteractionCompleted]) -> None:
        self.read = decode

    def place(self, event: InteractionCompleted) -> tuple[str, int] | Refused:
        if 0 <= event.completed_at < END_OF_TIME and 0 <= event.handle_time <= LONGEST_DURATION:
            return event.campaign_id, event.completed_at
        return Refused("out of range", "times lie in 1970 to 9999, durations in 0 to 366 days")

    def begin(self, _key: str) -> Skill:
        return Skill()

    def add(self, value: Skill, event: InteractionCompleted) -> None:
        hour = event.completed_at - event.completed_at % HOUR
        count, longest = value.hours.get(hour, (0, 0.0))
        value.hours[hour] = count + 1, max(longest, event.handle_time)

    def settle(self, value: Skill) -> None:
        oldest = max(value.hours) - DAY
        value.hours = {hour: counted for hour, counted in value.hours.items() if hour > oldest}

    def row(self, key: str, value: Skill) -> Outgoing:
        counts, longest = zip(*value.hours.values(), strict=True)
        return Outgoing(
            CAMPAIGN_SKILLS.name, key.encode(), msgspec.json.encode({"count": sum(counts), "longest": max(longest)})
        )

    def latest(self, _key: str, value: Skill) -> int:
        return max(value.hours)

    def needs(self, _key: str, at: int) -> int:
        return at - DAY
