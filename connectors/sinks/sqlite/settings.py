"""Settings of the SQLite file."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SqliteSettings(BaseSettings):
    """The file that minutes and alerts are written to."""

    model_config = SettingsConfigDict(
        env_prefix="SQLITE_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    path: Path = Field(
        Path("cxone-metrics.db"), description="the file, on a local disk; its folder must be there and writable"
    )
    retention_days: float = Field(
        90.0, gt=0, le=36_500, description="minutes and closed alerts are deleted when they are so many days old"
    )
    wal_limit_mb: int = Field(
        64, ge=1, description="readiness turns red when the write-ahead log beside the file is longer (MiB)"
    )
    lock_timeout: float = Field(
        1.0, gt=0, le=10, description="seconds to wait for another program's lock before readiness turns red"
    )
