"""cxone.interactions.completed -> percentiles -> cxone.campaign.hourly, dead letters.

Effectively once: each interaction is in its hour exactly once, whatever is killed. Rows are upserts by campaign and
hour (a higher revision replaces a lower one). Ordered per campaign.
"""

from connectors.settings import KafkaSettings, load
from schemas.records import CampaignHour, InteractionCompleted
from streams.runtime.app import App
from streams.runtime.assembly import build_rows
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.stages.percentiles.hours import Hours, Policy
from streams.stages.percentiles.settings import PercentilesSettings


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker, own = load(KafkaSettings), load(WorkerSettings), load(PercentilesSettings)
    codec = StageCodec.from_settings()
    policy = Policy(
        allowed_lateness=int(own.allowed_lateness * 1000),
        retention=int(own.window_retention * 1000),
        exact_values=own.exact_values,
    )
    rule = Hours(
        policy,
        decode=codec.decoder(InteractionCompleted),
        alike=codec.alike(InteractionCompleted),
        encode=codec.encoder(CampaignHour),
    )
    rows = own.publish_rows or None
    return build_rows(rule, kafka, worker, codec=codec, interval=own.publish_interval, rows=rows)
