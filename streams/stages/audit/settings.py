"""Settings of the audit."""

from pathlib import Path

from pydantic import Field, FilePath
from pydantic_settings import BaseSettings, SettingsConfigDict


class AuditSettings(BaseSettings):
    """Where the audit trail of dashboards is kept, and what signs it."""

    model_config = SettingsConfigDict(env_prefix="AUDIT_", env_ignore_empty=True, extra="ignore", frozen=True)

    dir: Path = Field(Path("audit"), description="folder of the day files; one worker owns it at a time")
    retention_days: int = Field(
        400,
        ge=1,
        description="days for which the audit topics are made to keep records; day files are yours to put away",
    )
    key: FilePath | None = Field(
        None, description="PEM file with the Ed25519 key that signs (needed by the audit stage); audit key makes one"
    )
    trusted: FilePath | None = Field(
        None, description="PEM file with the public keys of earlier heads, after a change of the key"
    )
