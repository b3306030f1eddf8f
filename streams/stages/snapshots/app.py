"""cxone.metrics.partials -> snapshots -> cxone.metrics.snapshots, dead letters.

Effectively once: what partials come to does not depend on how often and in which order they come. Rows are upserts by
minute and queue (a higher revision replaces a lower one). Ordered per minute and queue; final minutes are in order of
time but for late events. One worker does it all, others are standbys: the topics have one partition.
"""

from collections.abc import Mapping

from connectors.settings import KafkaSettings, load
from schemas.records import MetricSnapshot, MinutePartials
from streams.runtime.app import App
from streams.runtime.assembly import attach_stateful, declared, stored
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.stages.snapshots.declaration import DECLARATION
from streams.stages.snapshots.minutes import STAGE, Minutes

PUBLISH_INTERVAL = 0.3  # seconds: a row is out within a second of its event, with what the stages before take


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker = load(KafkaSettings), load(WorkerSettings)
    codec = StageCodec.from_settings()
    decode, encode = codec.decoder(MinutePartials), codec.encoder(MetricSnapshot)
    app = declared(DECLARATION, kafka, worker, codec)

    def core(partition: int, stored: Mapping[bytes, bytes]) -> Minutes:
        return Minutes(partition, stored, decode=decode, encode=encode)

    state = stored(app, "minutes", kafka, rows=True)
    attach_stateful(app, STAGE, state, core, interval=PUBLISH_INTERVAL, refusals=worker.dead_letter_share)
    return app
