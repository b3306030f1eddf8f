"""cxone.metrics.snapshots -> alerts -> cxone.alerts, dead letters.

Effectively once: alerts are a function of the final minutes, and a record replaces those of its alert with a lower
revision. Ordered per alert.
"""

from collections.abc import Mapping
from pathlib import Path

from connectors.errors import ConfigurationError
from connectors.settings import KafkaSettings, load
from schemas.records import AlertRecord, MetricSnapshot
from streams.runtime.app import App
from streams.runtime.assembly import attach_stateful, declared, stored
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.stages.alerts.alerts import STAGE, Alerts, Policy
from streams.stages.alerts.declaration import DECLARATION
from streams.stages.alerts.rules import Rule, RulesError, parse
from streams.stages.alerts.settings import DEFAULT_RULES, AlertsSettings

FLUSH_INTERVAL = 1.0  # seconds


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker, own = load(KafkaSettings), load(WorkerSettings), load(AlertsSettings)
    codec = StageCodec.from_settings()
    decode, encode = codec.decoder(MetricSnapshot), codec.encoder(AlertRecord)
    policy = Policy(rules=rules(own.rules or DEFAULT_RULES), revise_for=int(own.revise_for * 1000))
    app = declared(DECLARATION, kafka, worker, codec)

    def core(partition: int, stored: Mapping[bytes, bytes]) -> Alerts:
        return Alerts(partition, stored, policy=policy, decode=decode, encode=encode)

    state = stored(app, "minutes", kafka, rows=True)
    attach_stateful(app, STAGE, state, core, interval=FLUSH_INTERVAL, refusals=worker.dead_letter_share)
    return app


def rules(path: Path) -> tuple[Rule, ...]:
    """Read a file of rules. Raises ConfigurationError with one line per mistake."""
    try:
        return parse(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as unreadable:
        raise ConfigurationError(f"ALERT_RULES: {path} cannot be read: {unreadable}") from None
    except RulesError as wrong:
        lines = str(wrong).splitlines()
    raise ConfigurationError("\n".join(f"ALERT_RULES: {path}: {line}" for line in lines))
