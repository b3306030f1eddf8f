"""Log lines, ours and the libraries': structlog -> standard logging -> one formatter -> standard error."""

import logging
import re
import sys
import time
from collections.abc import Callable, Iterable

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from connectors.redaction import HIDDEN, Redactor

# What follows these names is a secret, however a library wrote it: in a URL, as JSON or a repr, coloured, in a header.
_COLOUR = r"(?:\x1b\[[\d;]*m)*"
_NAMED = re.compile(
    rf"((?:access_token|client_secret)(?:\\?[\"'])?{_COLOUR}\s*[=:]\s*{_COLOUR}(?:b?\\?[\"'])?|\bbearer\s+)"
    r"[^\s&\"'\\\x1b]+",
    re.IGNORECASE,
)
# Libraries that tell of every request, connection or step at INFO
_TALKATIVE = ("aiokafka", "httpcore", "httpx", "websockets", "faust", "mode")

_OURS = ("connectors", "streams")
_REPETITIVE = ("aiokafka", "librdkafka")
_REMEMBERED = 1000  # messages


def configure(
    *,
    level: str = "info",
    json: bool | None = None,
    secrets: Iterable[SecretStr] = (),
    talkative: Iterable[str] = (),
) -> None:
    """Send every log line of this process to standard error, as JSON or, on a terminal, coloured.

    Libraries tell nothing below INFO, whatever the `level`; the loggers named in `talkative` nothing below WARNING.
    `json` None asks whether standard error is a terminal.
    Tokens in URLs and headers, and the values of `secrets`, are replaced by `***` in the finished line, so that no
    object's text can bring them in.
    """
    lowest = logging.getLevelNamesMapping()[level.upper()]
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
    )
    as_json = not sys.stderr.isatty() if json is None else json
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    handler = logging.StreamHandler()
    handler.addFilter(Repetition())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer, redactor(secrets)],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *before],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(lowest, logging.INFO))
    for name in _OURS:
        logging.getLogger(name).setLevel(lowest)
    for name in (*_TALKATIVE, *talkative):
        logging.getLogger(name).setLevel(max(lowest, logging.WARNING))


class Repetition(logging.Filter):
    """Lets a library say the same thing once in `seconds`: while Kafka is away, clients say so 150 times a second."""

    def __init__(self, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds, self._clock = seconds, clock
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(_REPETITIVE):
            return True
        now, said = self._clock(), (record.name, f"{record.msg}"[:60])
        if now - self._said.get(said, -self._seconds) < self._seconds:
            return False
        if len(self._said) > _REMEMBERED:
            self._said.clear()
        self._said[said] = now
        return True


def redactor(secrets: Iterable[SecretStr] = ()) -> Callable[[WrappedLogger, str, EventDict | str], str]:
    """Return the last processor of a chain: it hides secrets in the rendered line."""
    hide = Redactor(secrets)

    def redact(_logger: WrappedLogger, _method: str, line: EventDict | str) -> str:
        return hide(_NAMED.sub(rf"\1{HIDDEN}", str(line)))

    return redact
