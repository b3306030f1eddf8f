"""Who is told, and how refusals are taken apart."""

from collections.abc import Sequence

import pytest

from connectors.errors import ConfigurationError
from connectors.sinks.alerts.alertmanager import Alertmanager
from connectors.sinks.alerts.receiver import Notice
from connectors.sinks.alerts.settings import ReceiverSettings
from connectors.sinks.alerts.webhook import Webhook
from schemas.dead_letters import DEAD_DETAIL
from schemas.envelope import Consumed
from schemas.records import AlertRecord
from streams.stages.notify.app import _changes, receiver
from streams.stages.notify.notices import Told
from tests.support.hostile_http import answering, hostile, response

ALERTMANAGER, WEBHOOK = "http://localhost:9093/", "https://alerts.example/"


def settings(**given: str) -> ReceiverSettings:
    return ReceiverSettings.model_validate({"alertmanager_url": None, "webhook_url": None, **given})


async def test_one_receiver_is_named() -> None:
    told, hooked = receiver(settings(alertmanager_url=ALERTMANAGER)), receiver(settings(webhook_url=WEBHOOK))

    assert isinstance(told, Alertmanager)
    assert isinstance(hooked, Webhook)
    assert (told.resend, hooked.resend) == (60, None)
    await told.close()
    await hooked.close()


@pytest.mark.parametrize("given", [{}, {"alertmanager_url": ALERTMANAGER, "webhook_url": WEBHOOK}])
def test_nobody_or_both_is_a_mistake(given: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="ALERT_ALERTMANAGER_URL and ALERT_WEBHOOK_URL"):
        receiver(settings(**given))


def change(name: str) -> Told:
    record = AlertRecord(name, "r", "m", "", "open", "warning", 1.0, 1.0, 0, None, 0, 1)
    return Told(record, Consumed(0, name.encode()), 0, frozenset())


async def test_of_a_batch_that_is_refused_each_is_told_by_itself_in_order() -> None:
    asked: list[list[str]] = []

    async def tell(notices: Sequence[Notice]) -> str | None:
        names = [notice.record.alert_id for notice in notices]
        asked.append(names)
        return "400 bad" if "bad" in names else None

    dead = await _changes([change(name) for name in ("a", "bad", "b", "c", "d")], 3, tell)

    assert asked == [["a", "bad", "b"], ["a"], ["bad"], ["b"], ["c", "d"]]
    assert [(each.value, dict(each.headers)[DEAD_DETAIL]) for each in dead] == [(b"bad", b"400 bad")]


async def test_a_webhook_that_repeats_its_url_tells_no_key() -> None:
    async with hostile(answering(response(b"Cannot POST /services/T0-B0-key", status="400 No"))) as peer:
        hooked = receiver(settings(webhook_url=f"{peer.url}/services/T0-B0-key"))
        words = await hooked.tell([Notice(change("a").record)], 0.0)
        await hooked.close()

    assert words == "400 Cannot POST ***"
