"""cxone.raw.webhooks -> actions -> cxone-interactions-ml, cxone.dashboard.changes, dead letters.

Exactly once for readers of committed records: a delivery that is sent again within the horizon is dropped, and outputs
are committed with the state that remembers them. Ordered per interaction, or dashboard.
"""

from connectors.cxone import dialect
from connectors.kafka.schema_ids import schema_ids
from connectors.settings import DialectSettings, KafkaSettings, RegistrySettings, load
from schemas.avro import Codec
from schemas.records import CXoneInteraction, DashboardChange
from streams.runtime.app import App
from streams.runtime.assembly import build_raw
from streams.runtime.settings import WorkerSettings
from streams.stages.actions.declaration import DECLARATION
from streams.stages.actions.reading import webhooks
from streams.stages.actions.settings import ActionsSettings


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker, settings = load(KafkaSettings), load(WorkerSettings), load(ActionsSettings)
    actions = dialect.load(load(DialectSettings).dialect).actions
    codec = Codec(schema_ids(load(RegistrySettings)))
    reading = webhooks(
        actions.interaction.action(),
        actions.dashboard.change(),
        encode_interaction=codec.encoder(CXoneInteraction),
        encode_change=codec.encoder(DashboardChange),
    )
    return build_raw(DECLARATION, reading, kafka, worker, horizon=settings.webhook_horizon, transactions=True)
