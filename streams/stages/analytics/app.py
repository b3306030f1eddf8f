"""cxone.raw.analytics -> analytics -> cxone.analytics.events, dead letters.

At-least-once in; each event id goes out with its source position, so that whoever remembers positions counts it once.
Ordered per agent.
"""

from connectors.cxone import dialect
from connectors.kafka.schema_ids import schema_ids
from connectors.settings import DialectSettings, KafkaSettings, RegistrySettings, load
from schemas.avro import Codec
from schemas.records import AnalyticsEvent, EventTimeProgress
from streams.runtime.app import App
from streams.runtime.assembly import build_raw
from streams.runtime.settings import WorkerSettings
from streams.stages.analytics.declaration import DECLARATION
from streams.stages.analytics.reading import analytics
from streams.stages.analytics.settings import AnalyticsSettings


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker = load(KafkaSettings), load(WorkerSettings)
    fields = dialect.load(load(DialectSettings).dialect).analytics.fields.analytics()
    codec = Codec(schema_ids(load(RegistrySettings)))
    clock_skew = int(load(AnalyticsSettings).clock_skew * 1000)
    reading = analytics(fields, clock_skew=clock_skew, encode=codec.encoder(AnalyticsEvent))
    return build_raw(DECLARATION, reading, kafka, worker, encode_progress=codec.encoder(EventTimeProgress))
