"""The rule: at most `limit` messages of a guest are admitted in any window, by event time, in whatever order they come.

A message at `now` is admitted when no window [x, x + window] that contains it would then hold more than `limit` counted
ones. For messages in order this says: when fewer than `limit` are counted of which `now - then <= window`.

The same holds for a conversation, with a limit of its own: whoever writes may say a new fingerprint with each message.
All together have a ceiling for each window that begins at a multiple of its length; a plain number is enough to count
to it.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass

SLICES = 3  # of the reach: whole slices are forgotten, so a message is remembered for 1 to 1 1/3 reaches
NEVER = 2**63 - 1  # ms: later than any arrival, in 64 bits

# What is full
LIMITS = GUEST, CONVERSATION, CEILING = ("guest", "conversation", "ceiling")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Times in milliseconds.

    Counted are the admitted messages; with `count_refused` the refused ones too, for their guest.
    """

    limit: int  # of a guest
    conversation_limit: int
    ceiling: int  # of all
    window: int
    lateness: int
    clock_skew: int
    count_refused: bool

    @property
    def reach(self) -> int:
        """How far the log time must have passed that of a message until nothing that comes can be near it."""
        return self.window + self.lateness + self.clock_skew


def earliest(times: Sequence[int], at: int, limit: int, window: int) -> int:
    """Return the first moment from `at` on that is admitted beside the counted `times`, which are sorted.

    Each run of `limit` times that fits into a window rules out the moments that share one with all of it, from `window`
    before its last to `window` after its first. These intervals come in order of both their ends.
    """
    for i in range(bisect_left(times, at - window), len(times) - limit + 1):
        first, last = times[i], times[i + limit - 1]
        if at < last - window:
            break
        if last - first <= window and at <= first + window:
            at = first + window + 1
    return at


class Recent:
    """Counted times by guest and by conversation, in slices of log time. Both are numbers, and no two the same.

    Log time is the latest `received_at` of the era: a replay decides as the first run did. Forgetting changes no
    decision of the era: event times lie between `lateness` before the log time and `clock_skew` after the arrival.

    A new era, which knows nothing of the one before, begins when a clock was set back: when arrivals further back than
    the reach have gone on for more than a window, and none came between that was not. One alone does not begin it: it
    may come from a source that lags, or from the slower of two clocks, and with each change between them all would be
    forgotten.

    Attributes:
        full: which limit refused the message that was refused last.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._length = -(-policy.reach // SLICES)
        self._slices: dict[int, dict[int, tuple[int, ...]]] = {}  # end of the slice -> number -> sorted times
        self._admitted: dict[int, int] = {}  # number of a window -> messages of all in it
        self.full = ""
        self.newest = -1  # end of the slice that is filled
        self.era = 0
        self.back_since = NEVER  # the earliest of the arrivals further back than the reach that came last
        self.advance(0)

    @property
    def forgotten(self) -> int:
        """Slices that end here or before are."""
        return self.log_time - self._policy.reach

    def resume(self, log_time: int, era: int, back_since: int) -> None:
        """Go on from where an earlier life was."""
        self.era, self.back_since = era, back_since
        self.advance(log_time)

    def advance(self, log_time: int) -> None:
        self.log_time = log_time
        end = log_time - log_time % self._length + self._length
        if end != self.newest:
            self.newest = end
            self._slices = {kept: numbers for kept, numbers in self._slices.items() if kept > self.forgotten}
            oldest = (log_time - self._policy.lateness) // self._policy.window
            self._admitted = {window: count for window, count in self._admitted.items() if window >= oldest}

    def event_time(self, sent_at: int, received_at: int) -> int:
        """Return when a message counts, and advance the log time to its arrival.

        That is when it was sent, as long as the guest's clock is believable: at most `clock_skew` after its arrival, at
        most `lateness` before the log time.
        """
        if received_at >= self.forgotten:
            self.back_since = NEVER
            if received_at > self.log_time:
                self.advance(received_at)
        else:
            self.back_since = min(self.back_since, received_at)
            if received_at - self.back_since > self._policy.window:
                self._begin_era(received_at)
        return max(min(sent_at, received_at + self._policy.clock_skew), self.log_time - self._policy.lateness)

    def take(self, guest: int, conversation: int, at: int) -> int:
        """Decide on a message at event time `at`: it is admitted if that is what comes back.

        Otherwise the first moment after it that would be, as far as is known.
        """
        of_guest, of_conversation = self._times(guest, at), self._times(conversation, at)
        allowed = self._allowed(of_guest, of_conversation, at)
        if allowed == at:
            self.count(self.newest, guest, conversation, at)
        elif self._policy.count_refused:
            self.count(self.newest, guest, None, at)
            insort(of_guest, at)
            allowed = self._allowed(of_guest, of_conversation, at)
        return allowed

    def _times(self, number: int, at: int) -> list[int]:
        since, times = at - self._policy.window, list[int]()
        for numbers in self._slices.values():
            found = numbers.get(number)
            if found is not None and found[-1] >= since:
                times += found
        times.sort()
        return times

    def _allowed(self, of_guest: Sequence[int], of_conversation: Sequence[int], at: int) -> int:
        """Return the first moment from `at` on that every limit admits."""
        policy = self._policy
        while True:
            later = earliest(of_guest, at, policy.limit, policy.window)
            if later > at:
                self.full = GUEST
            before, later = later, earliest(of_conversation, later, policy.conversation_limit, policy.window)
            if later > before:
                self.full = CONVERSATION
            window = later // policy.window
            while self._admitted.get(window, 0) >= policy.ceiling:
                window += 1
                self.full, later = CEILING, window * policy.window
            if later == at:
                return at
            at = later

    def _begin_era(self, log_time: int) -> None:
        self.era += 1
        self.back_since, self.newest, self._slices, self._admitted = NEVER, -1, {}, {}
        self.advance(log_time)

    def count(self, end: int, guest: int, conversation: int | None, at: int) -> None:
        """Count a message in the slice that ends at `end`; without a conversation for its guest alone: it was refused.

        So was one of an older version's state, as far as anybody knows.
        """
        numbers = self._slices.setdefault(end, {})
        times = numbers.get(guest)
        numbers[guest] = (at,) if times is None else self._with(times, at, self._policy.limit)
        if conversation is not None:
            times = numbers.get(conversation)
            limit = self._policy.conversation_limit
            numbers[conversation] = (at,) if times is None else self._with(times, at, limit)
            window = at // self._policy.window
            self._admitted[window] = self._admitted.get(window, 0) + 1

    def _with(self, times: tuple[int, ...], at: int, limit: int) -> tuple[int, ...]:
        """Add a time, and leave one out that decides nothing: floods of messages that count must not be held in full.

        A time that has `limit` neighbours on either side, all within one window, decides nothing: between them all is
        refused without it, and whoever is beyond them meets `limit` of them first. It stays so whatever is added.
        """
        window = self._policy.window
        place = bisect_right(times, at)
        added = [*times[:place], at, *times[place:]]
        for i in (place - limit, place + limit):
            if limit <= i < len(added) - limit and added[i + limit] - added[i - limit] <= window:
                del added[i]
                break
        return tuple(added)

    def __len__(self) -> int:
        """Return how many times are held."""
        return sum(len(times) for numbers in self._slices.values() for times in numbers.values())
