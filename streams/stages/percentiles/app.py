"""cxone.interactions.completed -> percentiles -> cxone.campaign.hourly, dead letters.

Effectively once: each interaction is in its hour exactly once, whatever is killed. Rows are upserts by campaign and
hour (a higher revision replaces a lower one). Ordered per campaign.
"""

from collections.abc import Mapping

from connectors.kafka import schema_registry as registry
from connectors.settings import KafkaSettings, RegistrySettings, load
from schemas.avro import Codec
from schemas.records import CampaignHour, InteractionCompleted
from streams.runtime.app import App
from streams.runtime.assembly import attach_stateful, declared, stored
from streams.runtime.settings import WorkerSettings
from streams.stages.percentiles.declaration import DECLARATION
from streams.stages.percentiles.hours import STAGE, Hours, Policy
from streams.stages.percentiles.settings import PercentilesSettings


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker, own = load(KafkaSettings), load(WorkerSettings), load(PercentilesSettings)
    codec = Codec(registry.schema_ids(load(RegistrySettings)))
    decode, encode = codec.decoder(InteractionCompleted), codec.encoder(CampaignHour)
    policy = Policy(
        allowed_lateness=int(own.allowed_lateness * 1000),
        retention=int(own.window_retention * 1000),
        idle_after=int(own.idle_after * 1000),
        exact_values=own.exact_values,
    )
    app = declared(DECLARATION, kafka, worker)

    def core(partition: int, stored: Mapping[bytes, bytes]) -> Hours:
        return Hours(partition, stored, policy=policy, decode=decode, encode=encode)

    state = stored(app, "windows", kafka, rows=True)
    attach_stateful(app, STAGE, state, core, interval=own.publish_interval, refusals=worker.dead_letter_share)
    return app
