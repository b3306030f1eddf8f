"""Schema ids: those of the registry in the settings, or without one those that are checked in."""

from connectors.settings import RegistrySettings
from schemas.releases import FileSchemaIds, SchemaIds


def schema_ids(settings: RegistrySettings) -> SchemaIds:
    """Return the ids that encoders and decoders ask for. Raises ConfigurationError."""
    if settings.url is None:
        return FileSchemaIds()
    from connectors.kafka.schema_registry import registry  # noqa: PLC0415 - its client takes a fifth of a start

    return registry(settings)
