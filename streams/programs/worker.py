"""A worker process: the apps of one or several stages on one event loop, until SIGTERM, SIGINT or a crash."""

import asyncio
import contextlib
import gc
import os
import threading
from collections.abc import Sequence

import structlog

from connectors.errors import ConfigurationError
from streams.core.state_format import StateRefusedError
from streams.programs.figures import Figures
from streams.programs.health import HealthServer
from streams.programs.lifecycle import Exit, on_signal, say_ready
from streams.programs.loop_watch import LoopWatch
from streams.programs.memory import keep_freed, keep_tidy
from streams.runtime.app import App
from streams.runtime.settings import WorkerSettings

log = structlog.get_logger(component="worker")

# Records are many and make no cycles: looking for some every 700 of them (the default) takes a fifth of the CPU. So it
# is every so many, net of those that went. To look at them stops the loop, and the consumers' threads, for 5 to 26 ms.
GC_THRESHOLD = (50_000, 100, 50)
EXIT_AFTER = 25.0  # seconds from the signal: an orchestrator kills at 30, and Faust can wait for ever


async def run(apps: Sequence[App], settings: WorkerSettings) -> int:
    """Run `apps` until a signal comes or one of them crashes. Returns the exit code.

    Prints one line of JSON when every app has its partitions: {"ready": [stages], "http": "host:port"}.
    """
    gc.set_threshold(*GC_THRESHOLD)
    gc.freeze()  # what is imported stays: Faust looks at all of it when RocksDB's partitions go, for some 40 ms
    keep_freed()
    watch = LoopWatch(settings.loop_beat)
    watch.start()
    stop = asyncio.Event()
    on_signal(lambda: _stopping(stop))
    named = {app.stage.name: app for app in apps}
    health = HealthServer(apps, settings.http_host, settings.http_port, Figures(named, named))
    address = await health.start()
    tasks = [asyncio.create_task(_live(app, stop)) for app in apps]
    announcing, tidying = asyncio.create_task(_announce(apps, address)), asyncio.create_task(keep_tidy())
    crashes = [crash for crash in await asyncio.gather(*tasks) if crash is not None]
    announcing.cancel()
    tidying.cancel()
    await health.stop()
    watch.stop()
    refused = any(isinstance(crash, StateRefusedError | ConfigurationError) for crash in crashes)
    return Exit.REFUSED if refused else Exit.FAILED if crashes else Exit.DONE


async def _live(app: App, stop: asyncio.Event) -> BaseException | None:
    """Start one app and stop it when it is time, or when another crashed. Returns what it crashed of."""
    app.in_worker = True
    starting = asyncio.create_task(_start(app))  # until all state is restored: too long for a stop to wait for
    ends = [asyncio.create_task(stop.wait()), asyncio.create_task(app._crashed.wait())]  # noqa: SLF001
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    _stopping(stop)
    try:
        await app.stop()
    except Exception as failure:
        log.exception("could not stop cleanly", stage=app.stage.name)
        return failure
    finally:
        starting.cancel()
    crash: BaseException | None = app.crash_reason
    if crash is not None:
        log.error("crashed", stage=app.stage.name, reason=str(crash))
    return crash


async def _start(app: App) -> None:
    try:
        await app.start()
    except ConfigurationError as wrong:
        app.crash_reason = wrong
        app._crashed.set()  # noqa: SLF001
    except Exception as failure:
        log.exception("could not start", stage=app.stage.name)
        app.crash_reason = failure
        app._crashed.set()  # noqa: SLF001


async def _announce(apps: Sequence[App], address: str) -> None:
    while any(app.why_not_ready() for app in apps):  # noqa: ASYNC110 - many things, in two threads, make it ready
        await asyncio.sleep(0.05)
    say_ready([app.stage.name for app in apps], address)


def _stopping(stop: asyncio.Event) -> None:
    if not stop.is_set():
        stop.set()
        watchdog = threading.Timer(EXIT_AFTER, _give_up)
        watchdog.daemon = True
        watchdog.start()


def _give_up() -> None:
    with contextlib.suppress(Exception):
        log.error("did not stop in time: leaving; what is not acknowledged comes again", seconds=EXIT_AFTER)
    os._exit(1)
