"""cxone.interactions.completed -> percentiles -> cxone.campaign.hourly, dead letters.

Effectively once: each interaction is in its hour exactly once, whatever is killed. Rows are upserts by campaign and
hour (a higher revision replaces a lower one). Ordered per campaign.
"""

from collections.abc import Mapping

from connectors.kafka import schema_registry as registry
from connectors.settings import KafkaSettings, RegistrySettings, load
from schemas.avro import Codec
from schemas.records import CampaignHour, InteractionCompleted
from schemas.topics import INTERACTIONS_COMPLETED
from streams.runtime.app import App, build_app
from streams.runtime.assembly import attach_stateful, stored
from streams.runtime.settings import WorkerSettings
from streams.stages.percentiles.hours import STAGE, Hours, Policy


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker = load(KafkaSettings), load(WorkerSettings)
    codec = Codec(registry.schema_ids(load(RegistrySettings)))
    decode, encode = codec.decoder(InteractionCompleted), codec.encoder(CampaignHour)
    policy = Policy(
        allowed_lateness=int(worker.allowed_lateness * 1000),
        retention=int(worker.window_retention * 1000),
        idle_after=int(worker.idle_after * 1000),
        exact_values=worker.exact_values,
    )
    app = build_app(STAGE, INTERACTIONS_COMPLETED.name, kafka, worker)

    def core(partition: int, stored: Mapping[bytes, bytes]) -> Hours:
        return Hours(partition, stored, policy=policy, decode=decode, encode=encode)

    state = stored(app, "windows", kafka, rows=True)
    attach_stateful(app, STAGE, state, core, interval=worker.publish_interval, refusals=worker.dead_letter_share)
    return app
