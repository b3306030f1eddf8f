"""Who owns a worker's partitions: one state machine, asked before anything is loaded, folded, written or called.

```
        assigned            recovered            draining             drained
 NONE ───────────▶ ASSIGNED ──────────▶ OWNED ────────────▶ DRAINING ─────────▶ NONE
   ▲                  │ draining          │                    │
   └──────────────────┘                   └─────── lost ───────┴──▶ LOST ── assigned ──▶ ASSIGNED
```

A revoked partition is drained: what is held is written before it goes. A lost one is dropped: it may be another
worker's already. Whatever ends late (a recovery, a delivery, a call) finds that it is not owned any more. ENDED is for
good: what was folded is written in part, and nothing may follow it in this process.
"""

from enum import StrEnum


class State(StrEnum):
    """Of the partitions of one stage in one worker; a rebalance takes and gives them together."""

    ALONE = "alone"  # no group has spoken yet: on a channel, in a test, everything is ours
    NONE = "none"
    ASSIGNED = "assigned"  # their state is not here yet
    OWNED = "owned"
    DRAINING = "draining"
    LOST = "lost"
    ENDED = "ended"


class Ownership:
    """Where a worker is with its partitions. Every method may be called in every state."""

    def __init__(self) -> None:
        self.state = State.ALONE
        self.generation: object = None  # of the group, in which the partitions were assigned

    def assigned(self, generation: object) -> None:
        """Take partitions. A group that was made anew may count its generations from the beginning."""
        if self.state is not State.ENDED:
            self.state, self.generation = State.ASSIGNED, generation

    def recovered(self, generation: object) -> bool:
        """Own what was assigned in `generation`: its state is here. Return whether that is so now."""
        if self.state is State.ASSIGNED and generation == self.generation:
            self.state = State.OWNED
            return True
        return False

    def draining(self) -> bool:
        """Let partitions go. Return whether what is held is to be written before."""
        if self.state in {State.ALONE, State.OWNED}:
            self.state = State.DRAINING
            return True
        if self.state is State.ASSIGNED:
            self.state = State.NONE
        return False

    def drained(self) -> None:
        """Have nothing any more: what was to be written is."""
        if self.state is State.DRAINING:
            self.state = State.NONE

    def lost(self) -> bool:
        """Drop partitions that may be another worker's. Return whether they were ours until now."""
        if self.state in {State.NONE, State.LOST, State.ENDED}:
            return False
        self.state = State.LOST
        return True

    def ended(self) -> None:
        """End for good."""
        self.state = State.ENDED

    def owned_in(self, generation: object) -> bool:
        """Whether what belongs to `generation` may be loaded and folded."""
        return self.state is State.ALONE or (self.state is State.OWNED and generation == self.generation)

    @property
    def may_write(self) -> bool:
        """Whether what was folded may be written, called out and acknowledged."""
        return self.state in {State.ALONE, State.OWNED, State.DRAINING}
