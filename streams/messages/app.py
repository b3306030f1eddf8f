"""cxone.raw.messages -> messages -> cxone.guest.messages, dead letters.

At-least-once in; each event id goes out with its source position, so that whoever remembers positions counts it once.
Ordered per guest.
"""

from collections.abc import Mapping
from typing import Any

from connectors import dialect, registry
from connectors.publisher import KafkaPublisher
from connectors.settings import DialectSettings, KafkaSettings, RegistrySettings, load
from schemas.avro import Codec
from schemas.records import GuestMessage
from schemas.topics import RAW_MESSAGES
from streams.app import App, attach, build_app
from streams.messages.reading import STAGE, messages
from streams.raw.frames import Frames
from streams.settings import WorkerSettings
from streams.stage import Stage
from streams.state import TableState

SEAL_INTERVAL = 1.0  # seconds: how much is published again, and dropped again by readers, after a kill


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker = load(KafkaSettings), load(WorkerSettings)
    fields = dialect.load(load(DialectSettings).dialect).messaging.fields.message()
    encode = Codec(registry.schema_ids(load(RegistrySettings))).encoder(GuestMessage)
    reading = messages(fields, encode=encode)
    horizon = int(worker.dedupe_horizon * 1000)
    app = build_app(STAGE, RAW_MESSAGES.name, kafka, worker)
    publisher = app.using(KafkaPublisher(kafka.librdkafka()))
    state = TableState(app.Table("seen", key_type=bytes, value_type=bytes), publisher, app.lease)

    def core(partition: int, stored: Mapping[bytes, bytes]) -> Frames[GuestMessage]:
        return Frames(partition, stored, horizon=horizon, reading=reading)

    attach(
        app,
        Stage(
            STAGE,
            load=lambda: state.load(app.partitions()),
            core=core,
            deliver=state.deliver,
            interval=SEAL_INTERVAL,
            eager=True,
            refusals=worker.dead_letter_share,
            rejoin=app.rejoin,
        ),
    )
    return app


def __getattr__(name: str) -> Any:
    """Make `app` when it is asked for: `faust -A streams.messages.app worker`."""
    if name != "app":
        raise AttributeError(name)
    return build()
