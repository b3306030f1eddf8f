"""cxone.raw.interactions -> normalise -> cxone.interactions.completed, dead letters.

At-least-once in; each event id goes out with its source position, so that whoever remembers positions counts it once.
Ordered per interaction in, per campaign and raw partition out.
"""

from connectors.cxone import dialect
from connectors.kafka.schema_ids import schema_ids
from connectors.settings import DialectSettings, KafkaSettings, RegistrySettings, load
from schemas.avro import Codec
from schemas.records import EventTimeProgress, InteractionCompleted
from streams.runtime.app import App
from streams.runtime.assembly import build_raw
from streams.runtime.settings import WorkerSettings
from streams.stages.normalise.declaration import DECLARATION
from streams.stages.normalise.reading import interactions
from streams.stages.normalise.settings import NormaliseSettings


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker = load(KafkaSettings), load(WorkerSettings)
    fields = dialect.load(load(DialectSettings).dialect).interactions.fields.interaction()
    codec = Codec(schema_ids(load(RegistrySettings)))
    clock_skew = int(load(NormaliseSettings).clock_skew * 1000)
    header, encode = codec.header(InteractionCompleted), codec.encoder(InteractionCompleted)
    reading = interactions(fields, clock_skew=clock_skew, encode=encode, header=header)
    return build_raw(DECLARATION, reading, kafka, worker, encode_progress=codec.encoder(EventTimeProgress))
