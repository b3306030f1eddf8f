"""Who the guests are, what they write and when: `(plan, number) -> messages with due times`. No clock, no sockets.

The same plan gives the same messages, byte for byte, and nearly `rate` of them a second.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import orjson

BOT_RATE = 2.0  # messages a second: eight times what a guest may write in a minute
BOT_START_SECONDS = 1.0

_QUEUES = ("support", "support", "billing", "sales", None)
_LONGEST_CONVERSATION = 12
_SMALL_TALK = (
    "Hello, is anybody there?",
    "Hi! I have a question about my bill.",
    "My order has not arrived yet.",
    "Grüezi, spricht jemand Deutsch?",
    "It says 'error 42' when I log in.",
    "Can I change my address here?",
    "Sure, one moment please.",
    "My customer number is on the letter, isn't it?",
    "Yes",
    "No, the other one 🙂",
    "ok",
    "How long does that take?",
    "I tried that already, twice.",
    'It says "try again later".',
    "Thanks, that helped!",
    "Are you a robot?",
)
_SPAM = ("CHEAP LOANS!!! http://spam.example", "You have won a prize", "buy buy buy", "aaaaaaaaaaaaaaaaaaaaaaaa")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`bots` of the `count` guests flood; the others share what is left of `rate` messages a second.

    Raises ValueError when the bots alone exceed `rate`, or leave nothing for the others.
    """

    count: int
    rate: float
    bots: int = 0
    seconds: float = 60.0
    seed: int = 1

    def __post_init__(self) -> None:
        if self.bots > self.count:
            raise ValueError(f"{self.bots} bots are more than {self.count} guests")
        flood = self.bots * BOT_RATE
        if self.rate < flood or (self.rate == flood and self.bots < self.count):
            raise ValueError(f"{self.bots} bots alone write {flood:g} messages a second: the rate must be higher")

    @property
    def think_seconds(self) -> float:
        """Return how long a guest who is no bot waits between two messages, on average."""
        return (self.count - self.bots) / (self.rate - self.bots * BOT_RATE)


def is_bot(plan: Plan, number: int) -> bool:
    """Tell whether the guest with this number, from 0, floods."""
    return number < plan.bots


def messages(plan: Plan, number: int) -> Iterator[tuple[float, bytes]]:
    """Yield what a guest writes, each with the seconds from the start when it is due, until the plan's end.

    A guest goes through conversations of one to twelve messages with the same fingerprint. No text comes twice in a
    conversation. One guest in twenty has no fingerprint, one an object instead of text.
    """
    rng = Random(f"{plan.seed}/{number}")
    bot = is_bot(plan, number)
    fingerprint = _fingerprint(number, bot=bot, rng=rng)
    due = rng.uniform(0, BOT_START_SECONDS) if bot else rng.expovariate(1 / plan.think_seconds)
    while True:
        conversation = f"conv-{rng.getrandbits(64):016x}"
        queue = rng.choice(_QUEUES)
        beside = {"fingerprint": fingerprint, **({} if queue is None else {"queueId": queue})}
        for turn in range(1, rng.randint(1, _LONGEST_CONVERSATION) + 1):
            if due >= plan.seconds:
                return
            text = f"{rng.choice(_SPAM if bot else _SMALL_TALK)} ({turn})"
            yield due, orjson.dumps({"text": text, "conversationId": conversation, **beside})
            due += 1 / BOT_RATE if bot else rng.expovariate(1 / plan.think_seconds)


def _fingerprint(number: int, *, bot: bool, rng: Random) -> str | dict[str, str] | None:
    device = f"{rng.getrandbits(128):032x}"
    if bot or number % 20 > 1:
        return device
    return {"deviceToken": device, "browser": "Firefox", "os": "Linux"} if number % 20 else None
