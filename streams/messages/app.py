"""cxone.raw.messages -> messages -> cxone.guest.messages, dead letters.

At-least-once in; each event id goes out with its source position, so that whoever remembers positions counts it once.
Ordered per guest.
"""

from typing import Any

from connectors import dialect, registry
from connectors.settings import DialectSettings, KafkaSettings, RegistrySettings, load
from schemas.avro import Codec
from schemas.records import GuestMessage
from streams.app import App
from streams.messages.reading import messages
from streams.raw.app import build as build_raw
from streams.settings import WorkerSettings


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker = load(KafkaSettings), load(WorkerSettings)
    fields = dialect.load(load(DialectSettings).dialect).messaging.fields.message()
    encode = Codec(registry.schema_ids(load(RegistrySettings))).encoder(GuestMessage)
    return build_raw(messages(fields, encode=encode), kafka, worker)


def __getattr__(name: str) -> Any:
    """Make `app` when it is asked for: `faust -A streams.messages.app worker`."""
    if name != "app":
        raise AttributeError(name)
    return build()
