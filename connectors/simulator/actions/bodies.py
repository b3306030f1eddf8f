"""Bodies of CXone's webhooks: seeded, each with an id of its own. No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import orjson

DATA_ACTION, DASHBOARD = "/webhook/cxone-data-action", "/webhook/cxone-dashboard"
CHANNELS = ("voice", "chat", "email", "sms")


@dataclass(frozen=True, slots=True)
class Plan:
    """What CXone calls about.

    `rate` calls a second; a share of `dashboards` tells of changed dashboards; a share of `malformed` cannot be used; a
    share of `redelivered` comes again though it was accepted, as after an answer that was lost on its way.
    """

    rate: float = 50.0
    seconds: float = 60.0
    dashboards: float = 0.05
    malformed: float = 0.01
    redelivered: float = 0.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Call:
    """One webhook."""

    path: str
    body: bytes
    usable: bool
    again: bool = False


def calls(plan: Plan, run: str) -> Iterator[Call]:
    """Yield the plan's calls, for ever. `run` tells ids of one run from those of another."""
    random, number = Random(plan.seed), 0
    while True:
        number += 1
        again = plan.redelivered > 0 and random.random() < plan.redelivered
        if random.random() < plan.malformed:
            yield Call(DATA_ACTION, random.choice([b"{", b"[]", b'{"id":""}', b'{"channel":"voice"}']), usable=False)
        elif random.random() < plan.dashboards:
            change = {
                "dashboardId": f"dashboard-{random.randrange(20)}",
                "eventType": "dashboard.updated",
                "actor": {"id": f"user-{random.randrange(50)}"},
                "etag": f'"{run}-{number}"',
            }
            yield Call(DASHBOARD, orjson.dumps(change), usable=True, again=again)
        else:
            yield Call(DATA_ACTION, orjson.dumps(_action(random, f"{run}-{number}")), usable=True, again=again)


def _action(random: Random, interaction: str) -> dict[str, object]:
    action: dict[str, object] = {"id": interaction, "channel": random.choice(CHANNELS)}
    if random.random() < 0.8:  # noqa: PLR2004 - the rest are unknown callers
        action["customer"] = {"email": f"customer-{random.randrange(10_000)}@example.com"}
    if random.random() < 0.9:  # noqa: PLR2004 - the rest nobody has answered yet
        action["agent"] = {"id": f"agent-{random.randrange(200)}"}
    return action
