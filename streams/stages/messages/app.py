"""cxone.raw.messages -> messages -> cxone.guest.messages, dead letters.

At-least-once in; each event id goes out with its source position, so that whoever remembers positions counts it once.
Ordered per guest.
"""

from connectors.cxone import dialect
from connectors.kafka.schema_ids import schema_ids
from connectors.settings import DialectSettings, KafkaSettings, RegistrySettings, load
from schemas.avro import Codec
from schemas.records import GuestMessage
from streams.runtime.app import App
from streams.runtime.assembly import build_raw
from streams.runtime.settings import WorkerSettings
from streams.stages.messages.declaration import DECLARATION
from streams.stages.messages.reading import messages


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker = load(KafkaSettings), load(WorkerSettings)
    fields = dialect.load(load(DialectSettings).dialect).messaging.fields.message()
    encode = Codec(schema_ids(load(RegistrySettings))).encoder(GuestMessage)
    return build_raw(DECLARATION, messages(fields, encode=encode), kafka, worker)
