"""The webhooks process: the door and its transactions, until SIGTERM, SIGINT or a refusal of Kafka's."""

import asyncio
import gc

import structlog
from aiohttp import web

from connectors.cxone.dialect import Actions
from connectors.errors import ConnectorError
from connectors.ingress.webhooks.callers import Callers
from connectors.ingress.webhooks.delivery import STAGE, Endpoint
from connectors.ingress.webhooks.server import Door
from connectors.ingress.webhooks.settings import WebhookSettings
from connectors.kafka.publisher import transactional_config
from connectors.kafka.rights import ensure_writable
from connectors.kafka.topic_admin import ensure_topics
from connectors.kafka.transactions import SHARING, TransactionalPublisher
from connectors.settings import KafkaSettings
from schemas.envelope import DASHBOARD_PATH, DATA_ACTION_PATH
from schemas.topics import DEAD_LETTERS, RAW_WEBHOOKS
from streams.programs.lifecycle import on_signal, say_ready
from streams.programs.memory import keep_tidy

# What a request allocates is freed without a search for cycles. With some hundred requests on their way a search every
# 700 objects, the default, takes a third of the CPU.
GC_THRESHOLD = (100_000, 20, 50)
IN_TURN = 2  # producers: one begins while Kafka finishes what the other has committed


def endpoints(actions: Actions) -> tuple[Endpoint, ...]:
    """Return where callers may call, and what their bodies go by."""
    return (
        Endpoint(DATA_ACTION_PATH, actions.interaction.interaction_id, "interactionId"),
        Endpoint(DASHBOARD_PATH, actions.dashboard.dashboard_id, "dashboardId"),
    )


async def run(
    settings: WebhookSettings, callers: Callers, actions: Actions, kafka: KafkaSettings, *, sharing: int = SHARING
) -> None:
    """Take webhooks until a signal comes, `sharing` at most in a transaction.

    Prints the ready line when they can be stored. Raises ConnectorError.
    """
    gc.set_threshold(*GC_THRESHOLD)
    structlog.contextvars.bind_contextvars(connector="webhooks")
    written = (RAW_WEBHOOKS, DEAD_LETTERS)
    if kafka.sasl_username is not None:  # else there is nothing that could be refused
        await asyncio.to_thread(ensure_writable, kafka.librdkafka(), [spec.name for spec in written])
    await asyncio.to_thread(ensure_topics, kafka, written)
    stop = asyncio.Event()
    on_signal(stop.set)
    transactions = TransactionalPublisher(
        transactional_config(kafka.librdkafka(), settings.transactional_id), sharing=sharing, in_turn=IN_TURN
    )
    door = Door(
        endpoints(actions),
        callers,
        transactions,
        name=settings.instance,
        deadline=settings.deadline,
        queue=settings.queue,
    )
    await transactions.start()
    runner = door.runner()
    await runner.setup()
    try:
        await _listen(runner, settings)
        host, port = runner.addresses[0][:2]
        say_ready([STAGE], f"{host}:{port}")
        stopping = asyncio.create_task(stop.wait())
        watching = asyncio.create_task(transactions.watch())
        tidying = asyncio.create_task(keep_tidy())
        await asyncio.wait((stopping, watching), return_when=asyncio.FIRST_COMPLETED)
        door.stop()
        if watching.done():
            await watching
        watching.cancel()
        tidying.cancel()
    finally:
        await runner.cleanup()
        await transactions.close()


async def _listen(runner: web.AppRunner, settings: WebhookSettings) -> None:
    try:
        await web.TCPSite(runner, settings.host, settings.port, backlog=1024).start()
    except OSError as taken:
        raise ConnectorError(f"WEBHOOKS_HOST, WEBHOOKS_PORT: cannot listen there: {taken.strerror}") from None
