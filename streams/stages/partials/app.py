"""cxone.analytics.events -> partials -> cxone.metrics.partials, dead letters.

Effectively once: each event is in its minute exactly once, whatever is killed. A partial says up to which offset of its
partition it counts, and comes to the same whoever publishes it. Ordered per partition of events.
"""

from collections.abc import Mapping

from connectors.settings import KafkaSettings, load
from schemas.records import AnalyticsEvent, MinutePartials
from streams.core.windows.watermark import Watermark
from streams.runtime.app import App
from streams.runtime.assembly import attach_stateful, declared, hear_event_time, stored
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.stages.partials.declaration import DECLARATION
from streams.stages.partials.minutes import STAGE, Minutes, Sources
from streams.stages.partials.settings import PartialsSettings

PUBLISH_INTERVAL = 0.4  # seconds


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker, own = load(KafkaSettings), load(WorkerSettings), load(PartialsSettings)
    codec = StageCodec.from_settings()
    decode, encode = codec.decoder(AnalyticsEvent), codec.encoder(MinutePartials)
    app = declared(DECLARATION, kafka, worker, codec)
    raw = hear_event_time(app, kafka, codec)

    def partitions() -> int:
        return app.consumer.topic_partitions(app.source) or 0

    def core(partition: int, stored: Mapping[bytes, bytes]) -> Minutes:
        sources = Sources(
            partition=partition,
            partitions=partitions,
            lateness=int(own.minute_lateness * 1000),
            retention=int(own.minute_retention * 1000),
        )
        return Minutes(sources, stored, watermark=Watermark(partition, raw), decode=decode, encode=encode)

    state = stored(app, "sums", kafka)
    attach_stateful(app, STAGE, state, core, interval=PUBLISH_INTERVAL, refusals=worker.dead_letter_share)
    return app
