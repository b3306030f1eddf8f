"""Settings of the workers."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.runtime.data_dir import default


class WorkerSettings(BaseSettings):
    """How stages run. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="STREAMS_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    store: Literal["memory", "rocksdb"] = Field(
        "memory", description="memory, or rocksdb (needs cxone-streams[rocksdb]): restarts read less of the changelog"
    )
    data_dir: Path = Field(
        default_factory=default,
        description="folder for rocksdb, this user's alone; each worker on a machine needs its own",
    )
    http_host: str = Field("127.0.0.1", description="address of /livez, /readyz and /metrics")
    http_port: int = Field(0, ge=0, le=65535, description="port of /livez, /readyz and /metrics; 0 takes a free one")
    session_timeout: float = Field(
        15.0, ge=6, description="a worker that is not heard of for so long loses its partitions"
    )
    drain_timeout: float = Field(
        15.0, gt=0, le=20, description="time to flush before partitions go or the worker stops"
    )
    fetch_wait: float = Field(
        1.0,
        ge=0.01,
        le=5,
        description="a fetch waits so long where nothing comes, from 1 on five seconds where nothing came lately; Kafka"
        " answers at once when something does",
    )
    fetch_bytes: int = Field(
        16 * 2**20,
        ge=2**20,
        description="bytes of records, as Kafka sends them, that a stage may have fetched and not begun, of all its"
        " partitions",
    )
    hold_bytes: int = Field(
        128 * 2**20,
        ge=2**20,
        description="bytes of records that a stage may have read and not finished, beside its own limit of records",
    )
    loop_beat: float = Field(
        0.05,
        ge=0.001,
        le=1,
        description="the event loop is asked so often whether it answers; a shorter block may not be seen in metrics",
    )
    dedupe_horizon: float = Field(900.0, gt=0, description="a redelivered event id is dropped for so long")
    idle_after: float = Field(
        60.0, gt=0, description="a raw partition without events for so long no longer holds event time back"
    )
    dead_letter_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="above this share of refused records a stage logs an error; it stops when the first 1,000 all are;"
        " 1 does neither",
    )
