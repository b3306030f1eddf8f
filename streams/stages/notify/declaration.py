"""What notify reads, writes and keeps."""

from schemas.topics import ALERTS
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="notify",
    reads=ALERTS,
    tables=(Table(name="open", key="partition | epoch | alert id", holds="alerts that the receiver has open"),),
    into="Alertmanager, or a webhook",
)
