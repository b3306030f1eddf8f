"""What the topics and the ledger say, folded into what a screen or a report shows. No I/O."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.dead_letters import DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.records import CampaignHour
from streams.demo import action_board, minute_board
from streams.demo.action_board import Actions
from streams.demo.guest_board import DEAD_STAGES, Guests
from streams.demo.keeper import Kept
from streams.demo.minute_board import Minutes

RATE_SECONDS = 5.0  # rates are taken over so long: windows are published about once a second


@dataclass(slots=True)
class Board:
    """`rows` by campaign and hour, the newest revision of each; `lag` in records by stage; rates per second.

    All but `lag`, `guests`, `minutes`, `actions` and `dashboards` is about interactions.
    """

    rows: dict[tuple[str, int], CampaignHour] = field(default_factory=dict)
    lag: dict[str, int] = field(default_factory=dict)
    ledger: Mapping[str, Any] = field(default_factory=dict)
    guests: Guests = field(default_factory=Guests)
    minutes: Minutes = field(default_factory=Minutes)
    actions: Actions = field(default_factory=Actions)
    dashboards: Kept = field(default_factory=Kept)
    sent_per_second: float = 0.0
    counted_per_second: float = 0.0
    _dead: dict[str, str] = field(default_factory=dict)  # source position -> reason
    _looks: deque[tuple[float, int, int]] = field(default_factory=deque)  # when, sent, counted

    @property
    def sent(self) -> int:
        """Return how many frames were written to the socket."""
        malformed = sum(self.ledger.get("events_malformed", {}).values())
        again = self.ledger.get("malformed_redelivered", 0) + self.ledger.get("events_redelivered", 0)
        return int(self.ledger.get("events_sent", 0) + malformed + again)

    @property
    def counted(self) -> int:
        return sum(row.count for row in self.rows.values())

    @property
    def dead_letters(self) -> Counter[str]:
        """Return how many records were refused by reason; a record refused twice (after a crash) counts once."""
        return Counter(self._dead.values())

    def hour(self, row: CampaignHour) -> None:
        """Take a row of cxone.campaign.hourly."""
        known = self.rows.get((row.campaign_id, row.hour_start))
        if known is None or row.revision >= known.revision:
            self.rows[row.campaign_id, row.hour_start] = row

    def dead_letter(self, headers: Mapping[str, bytes]) -> None:
        """Take a record of cxone.dead-letters."""
        stage = headers[DEAD_STAGE].decode()
        if stage in DEAD_STAGES:
            self.guests.dead_letter(headers)
            return
        if stage in minute_board.DEAD_STAGES:
            self.minutes.dead_letter(headers)
            return
        if stage in action_board.DEAD_STAGES:
            self.actions.dead_letter(headers)
            return
        self._dead[headers[DEAD_SOURCE].decode()] = headers[DEAD_REASON].decode()

    def measure(self, ledger: Mapping[str, Any], lag: Mapping[str, int], now: float) -> None:
        """Take the ledger's counts and the stages' lag, and derive the rates; `now` in seconds of any clock."""
        self.ledger, self.lag = ledger, dict(lag)
        self._looks.append((now, self.sent, self.counted))
        while len(self._looks) > 2 and self._looks[1][0] <= now - RATE_SECONDS:  # noqa: PLR2004 - a rate takes two
            self._looks.popleft()
        before, sent, counted = self._looks[0]
        if now > before:
            self.sent_per_second = (self.sent - sent) / (now - before)
            self.counted_per_second = (self.counted - counted) / (now - before)

    def drained(self) -> bool:
        """Whether everything was sent and every stage has worked off its topics, with nobody waiting for a retry."""
        sent = bool(self.ledger.get("finished")) and not self.guests.said.get("waiting")
        return sent and bool(self.minutes.ledger.get("finished")) and not any(self.lag.values())
