"""cxone.alerts -> notify -> Alertmanager or a webhook, dead letters.

At-least-once, in order per alert: a change is acknowledged when the receiver has it, or has refused it and it is a dead
letter. Telling it again changes nothing: to Alertmanager an alert is its labels, to a webhook its idempotency key.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from prometheus_client import Counter
from pydantic import SecretStr

from connectors.errors import ConfigurationError
from connectors.http.exchange import Exchange
from connectors.http.transport import Transport
from connectors.retry import delays
from connectors.settings import KafkaSettings, load
from connectors.sinks.alerts.alertmanager import Alertmanager
from connectors.sinks.alerts.receiver import Notice, Posting, Receiver
from connectors.sinks.alerts.settings import ReceiverSettings
from connectors.sinks.alerts.webhook import Webhook
from connectors.sinks.until_answered import until_answered
from schemas.envelope import Outgoing
from schemas.records import AlertRecord
from streams.runtime.app import App
from streams.runtime.assembly import attach, declared, stored
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.runtime.stage import Stage
from streams.runtime.state import TableState
from streams.stages.notify.declaration import DECLARATION
from streams.stages.notify.notices import STAGE, Notices, Telling, Told

FLUSH_INTERVAL = 1.0  # seconds

TOLD = Counter("cxone_notify_told", "Changes of alerts by what became of them at the receiver.", ["outcome"])
AGAIN = Counter("cxone_notify_told_again", "Open alerts told again.")

log = structlog.get_logger()


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker, own = load(KafkaSettings), load(WorkerSettings), load(ReceiverSettings)
    codec = StageCodec.from_settings()
    decode = codec.decoder(AlertRecord)
    app = declared(DECLARATION, kafka, worker, codec)
    assemble(app, stored(app, "open", kafka), app.using(receiver(own)), decode=decode, worker=worker)
    return app


def receiver(settings: ReceiverSettings) -> Receiver:
    """Return who is told, as the settings say.

    Raises ConfigurationError when that is nobody or both, or when the proxy to it cannot be used.
    """
    base = settings.alertmanager_url
    if (base is None) == (settings.webhook_url is None):
        raise ConfigurationError(
            "Set one of ALERT_ALERTMANAGER_URL and ALERT_WEBHOOK_URL: who is to be told of alerts?"
        )
    peer = "the webhook of alerts" if base is None else "Alertmanager"
    url = settings.webhook_url or "" if base is None else base.rstrip("/") + "/api/v2/alerts"
    shown = SecretStr(url) if base is None else url  # webhooks of chats have their key in the path
    posting = Posting(peer, shown, settings.token, Exchange(peer, Transport(url), timeout=settings.timeout))
    return Webhook(posting) if base is None else Alertmanager(posting, resend=settings.resend)


def assemble(  # noqa: PLR0913 - a composition point
    app: App,
    state: TableState,
    receiver: Receiver,
    *,
    decode: Callable[[bytes], AlertRecord],
    worker: WorkerSettings,
    waits: Callable[[], Iterator[float]] = delays,
    now: Callable[[], float] = time.time,
) -> Any:
    """Give the app its stage; return the agent."""

    def on_state(words: str) -> None:
        stage.blocked = None if words == "ok" else words

    async def tell(notices: Sequence[Notice]) -> str | None:
        app.lease.check()
        call = partial(receiver.tell, notices, now())
        return await until_answered(call, delays=waits(), sleep=app.pause, on_state=on_state)

    async def deliver(flushes: Mapping[int, Telling]) -> None:
        for flush in flushes.values():
            flush.outputs += await _changes(flush.changes, receiver.most, tell)
            await _again(flush.again, receiver.most, tell)
        await state.deliver(flushes)

    stage: Stage[Telling] = Stage(
        STAGE,
        load=lambda: state.loading(app.partitions(), app.consumer_generation_id),
        core=lambda partition, stored: Notices(partition, stored, resend=receiver.resend, decode=decode),
        deliver=deliver,
        interval=FLUSH_INTERVAL,
        refusals=worker.dead_letter_share,
        rejoin=app.rejoin,
        now=now,
    )
    return attach(app, stage)


Tell = Callable[[Sequence[Notice]], Any]


async def _changes(changes: Sequence[Told], most: int, tell: Tell) -> list[Outgoing]:
    """Tell changes; return the dead letters of those that are refused, each by itself."""
    dead: list[Outgoing] = []
    parts = [changes[first : first + most] for first in range(0, len(changes), most)]
    while parts:
        part = parts.pop(0)
        words = await tell([Notice(each.record, each.was) for each in part])
        if words is None:
            TOLD.labels("told").inc(len(part))
        elif len(part) == 1:
            TOLD.labels("refused").inc()
            dead.append(part[0].refused(words))
        else:
            parts[:0] = [[each] for each in part]
    return dead


async def _again(records: Sequence[AlertRecord], most: int, tell: Tell) -> None:
    for first in range(0, len(records), most):
        part = records[first : first + most]
        words = await tell([Notice(record) for record in part])
        AGAIN.inc(len(part))
        if words is not None:
            log.warning("the receiver refuses open alerts that it has taken before", number=len(part))
