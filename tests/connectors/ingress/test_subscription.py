"""A subscription is made once, remembered, and shared by connectors that start together."""

import asyncio
from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.cxone.event_subscriptions import Wanted
from connectors.errors import SubscriptionRefused, Unavailable
from connectors.ingress.subscription import Entry, Subscribed, Subscription, counting
from tests.support.sockets import Tokens

WANTED = Wanted(url="https://api.example/eventsub", request={"a": 1}, id=(("id",),), message=(("message",),))


class Cxone:
    """Knows the subscriptions that it made. Everybody who asks waits a little."""

    def __init__(self) -> None:
        self.made = 0
        self.known: set[str] = set()
        self.trouble: list[Exception] = []

    async def create(self) -> str:
        if self.trouble:
            raise self.trouble.pop(0)
        self.made += 1
        self.known.add(name := f"s-{self.made}")
        await asyncio.sleep(0)
        return name

    async def exists(self, name: str) -> bool:
        await asyncio.sleep(0)
        return name in self.known

    async def delete(self, name: str) -> None:
        if self.trouble:
            raise self.trouble.pop(0)
        self.known.remove(name)


class Log:
    """A memory in memory."""

    def __init__(self) -> None:
        self.values: list[bytes] = []

    async def recall(self) -> Sequence[bytes]:
        await asyncio.sleep(0)
        return tuple(self.values)

    async def remember(self, value: bytes) -> None:
        self.values.append(value)
        await asyncio.sleep(0)

    def compact(self) -> None:
        self.values = self.values[-1:]


async def test_a_subscription_is_made_and_then_remembered() -> None:
    cxone, log = Cxone(), Log()

    first = await Subscription(WANTED, "n").obtain(cxone, log)
    second = await Subscription(WANTED, "n").obtain(cxone, log)

    assert (first, second, cxone.made) == ("s-1", "s-1", 1)


async def test_what_cxone_has_forgotten_is_made_anew() -> None:
    cxone, log = Cxone(), Log()
    await Subscription(WANTED, "n").obtain(cxone, log)
    cxone.known.clear()

    assert await Subscription(WANTED, "n").obtain(cxone, log) == "s-2"
    assert counting(log.values) == Entry("s-2", counting(log.values).request, "s-1")  # type: ignore[union-attr]  # there


async def test_what_the_socket_does_not_know_is_made_anew_whatever_rest_says() -> None:
    cxone, log = Cxone(), Log()
    subscription = Subscription(WANTED, "n")
    await subscription.obtain(cxone, log)

    subscription.forgotten()

    assert subscription.id is None
    assert await subscription.obtain(cxone, log) == "s-2"


async def test_another_request_is_another_subscription() -> None:
    cxone, log = Cxone(), Log()
    await Subscription(WANTED, "n").obtain(cxone, log)
    other = Wanted(url=WANTED.url, request={"a": 2}, id=WANTED.id, message=WANTED.message)

    assert await Subscription(other, "n").obtain(cxone, log) == "s-2"


@pytest.mark.parametrize("number", [2, 3, 5])
@pytest.mark.parametrize("forgotten", [False, True])
async def test_connectors_that_start_together_end_with_one_subscription(number: int, forgotten: bool) -> None:
    cxone, log = Cxone(), Log()
    if forgotten:
        await Subscription(WANTED, "n").obtain(cxone, log)
        cxone.known.clear()

    ids = await asyncio.gather(*(Subscription(WANTED, "n").obtain(cxone, log) for _ in range(number)))

    assert len(set(ids)) == 1
    assert cxone.known == set(ids)
    log.compact()
    assert await Subscription(WANTED, "n").obtain(cxone, log) == ids[0]


async def test_a_subscription_that_cannot_be_deleted_is_left_over() -> None:
    cxone, log = Cxone(), Log()

    class Late(Log):
        async def remember(self, value: bytes) -> None:
            if not self.values:
                self.values.append(Entry("s-0", counting([value]).request, None).encode())  # type: ignore[union-attr]  # there
                cxone.trouble.append(Unavailable("down"))
            await super().remember(value)

    assert await Subscription(WANTED, "n").obtain(cxone, log := Late()) == "s-0"
    assert counting(log.values[-1:]).id == "s-0"  # type: ignore[union-attr]  # there


def test_the_first_of_those_that_replace_the_same_counts() -> None:
    a, b, c = Entry("a", "r", None), Entry("b", "r", None), Entry("c", "r", "a")

    assert counting([a.encode(), b.encode()]) == a
    assert counting([a.encode(), b.encode(), c.encode()]) == c
    assert counting([b.encode(), a.encode(), c.encode()]) == b
    assert counting([b.encode()]) == b
    assert all(counting(map(Entry.encode, each)) is not None for each in permutations([a, b, c]))


@given(st.lists(st.binary() | st.sampled_from([b"{}", b"[]", b'{"version":1,"id":1}', b'{"version":2,"id":"x"}'])))
def test_what_is_no_entry_counts_for_nothing(values: list[bytes]) -> None:
    entry = Entry("a", "r", None)

    assert counting(values) is None
    assert counting([*values, entry.encode(), *values]) == entry


async def test_a_token_comes_when_there_is_a_subscription_and_unavailable_is_waited_out() -> None:
    cxone, subscription = Cxone(), Subscription(WANTED, "n")
    cxone.trouble = [Unavailable("away", retry_after=40), Unavailable("away")]
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    token = await Subscribed(Tokens(), subscription, cxone, Log(), sleep=sleep).token()

    assert token.value.get_secret_value() == "token-1"
    assert subscription.id == "s-1"
    assert slept[0] >= 40
    assert len(slept) == 2


async def test_a_refusal_ends_the_waiting_and_a_refused_token_goes_on() -> None:
    cxone, tokens = Cxone(), Tokens()
    cxone.trouble = [SubscriptionRefused("no such field")]
    subscribed = Subscribed(tokens, Subscription(WANTED, "n"), cxone, Log())

    with pytest.raises(SubscriptionRefused):
        await subscribed.token()
    subscribed.refused(await subscribed.token())

    assert tokens.refused_tokens == ["token-1"]
