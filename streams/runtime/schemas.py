"""What a stage reads may be written with any schema: it is asked for before the record is read, and waited for.

To read a record must not ask: a registry that hangs would stop everything else in the process, and one that is away
would make dead letters of good records.
"""

import asyncio
from collections.abc import Callable, Iterable
from operator import itemgetter

import structlog

from connectors.errors import ConnectorError
from connectors.kafka.schema_ids import schema_ids
from connectors.settings import RegistrySettings, load
from schemas.avro import HEADER_BYTES, Codec, schema_id_of
from schemas.releases import Schema, SchemaIds

log = structlog.get_logger(component="schemas")

PAUSE = 1.0  # seconds between two questions to a registry that is away

_header: Callable[[bytes], bytes] = itemgetter(slice(HEADER_BYTES))  # of every record: in C, twice as fast


class StageCodec(Codec):
    """A codec whose decoders know the schemas that were learned, and ask nobody."""

    def __init__(self, ids: SchemaIds, *, pause: float = PAUSE) -> None:
        self._known = _Known(ids)
        super().__init__(self._known)
        self._pause = pause
        self._waiting: dict[int, str] = {}

    @classmethod
    def from_settings(cls) -> "StageCodec":
        """Return the codec of the registry in the environment. Raises ConfigurationError."""
        return cls(schema_ids(load(RegistrySettings)))

    @property
    def waiting(self) -> str | None:
        """What is waited for, for readiness."""
        return next(iter(self._waiting.values()), None)

    async def learn(self, values: Iterable[bytes | None]) -> None:
        """Return when each of `values` can be read, or its schema is one that the registry does not have.

        Waits for as long as the registry is away; the event loop goes on meanwhile.
        """
        for header in set(map(_header, filter(None, values))) - self._known.headers:
            schema_id = schema_id_of(header)
            if schema_id is not None:
                await self._learn(header, schema_id)

    async def _learn(self, header: bytes, schema_id: int) -> None:
        try:
            while True:
                try:
                    return await asyncio.to_thread(self._known.ask, header, schema_id)
                except ConnectorError as away:
                    if schema_id not in self._waiting:
                        log.warning("waiting for a schema", schema_id=schema_id, reason=str(away))
                    self._waiting[schema_id] = f"waits for schema {schema_id}: {away}"
                    await asyncio.sleep(self._pause)
        finally:
            self._waiting.pop(schema_id, None)


class _Known:
    """`SchemaIds` that answers what was asked before. An id that nobody has is not remembered: it may come."""

    def __init__(self, ids: SchemaIds) -> None:
        self._ids = ids
        self._schemas: dict[int, Schema] = {}
        self.headers: set[bytes] = set()

    def ask(self, header: bytes, schema_id: int) -> None:
        try:
            self._schemas[schema_id] = self._ids.schema_for(schema_id)
        except LookupError:
            return
        self.headers.add(header)

    def id_for(self, subject: str, schema: Schema) -> int:
        return self._ids.id_for(subject, schema)

    def schema_for(self, schema_id: int) -> Schema:
        return self._schemas[schema_id]
