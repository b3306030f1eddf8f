"""Schemas that a stage waits for, from ids that may be away; the same on a registry in `tests/support`."""

import asyncio
import threading

import pytest

from connectors.errors import ConnectorError
from schemas.avro import DecodeError
from schemas.records import CXoneInteraction, InteractionScore
from schemas.releases import FileSchemaIds, Schema
from streams.runtime.schemas import StageCodec

RECORD = CXoneInteraction("i-1", "voice", 1_795_250_400_000, "a@b.example", None)


class Ids(FileSchemaIds):
    """The checked-in ids, asked for with `asked`; away until `there`."""

    def __init__(self) -> None:
        super().__init__()
        self.there = True
        self.asked: list[int] = []
        self.threads: set[int] = set()
        self.registered: list[str] = []

    def id_for(self, subject: str, schema: Schema) -> int:
        self.registered.append(subject)
        return super().id_for(subject, schema)

    def schema_for(self, schema_id: int) -> Schema:
        self.asked.append(schema_id)
        self.threads.add(threading.get_ident())
        if not self.there:
            raise ConnectorError("the schema registry does not answer: ReadTimeout")
        return super().schema_for(schema_id)


@pytest.fixture
def ids() -> Ids:
    return Ids()


@pytest.fixture
def codec(ids: Ids) -> StageCodec:
    return StageCodec(ids, pause=0.01)


async def test_what_was_learned_is_read_without_asking(ids: Ids, codec: StageCodec) -> None:
    data, decode = codec.encoder(CXoneInteraction)(RECORD), codec.decoder(CXoneInteraction)

    await codec.learn([data, data, None, b"", b"{}"])
    ids.there = False
    await codec.learn([data])

    assert decode(data) == RECORD
    assert len(ids.asked) == 1
    assert threading.get_ident() not in ids.threads


async def test_who_only_reads_asks_for_no_id(ids: Ids, codec: StageCodec) -> None:
    codec.decoder(CXoneInteraction)

    assert ids.registered == []


async def test_a_registry_that_is_away_is_waited_for_and_everything_else_goes_on(ids: Ids, codec: StageCodec) -> None:
    data, decode = codec.encoder(CXoneInteraction)(RECORD), codec.decoder(CXoneInteraction)
    ids.there = False

    learning = asyncio.create_task(codec.learn([data]))
    while len(ids.asked) < 3:  # noqa: ASYNC110 - whether this loop turns is what is tested
        await asyncio.sleep(0.001)
    waiting = codec.waiting
    ids.there = True
    await learning

    assert waiting == f"waits for schema {ids.asked[0]}: the schema registry does not answer: ReadTimeout"
    assert codec.waiting is None
    assert decode(data) == RECORD


async def test_two_may_wait_for_schemas_of_their_own(ids: Ids, codec: StageCodec) -> None:
    first, second = (
        codec.encoder(CXoneInteraction)(RECORD),
        codec.encoder(InteractionScore)(InteractionScore("i-1", 0.5, None, 1, 2)),
    )
    ids.there = False
    learning = [asyncio.create_task(codec.learn([data])) for data in (first, second)]
    while len(set(ids.asked)) < 2:  # noqa: ASYNC110 - whether this loop turns is what is tested
        await asyncio.sleep(0.001)

    learning[0].cancel()
    await asyncio.wait(learning[:1])
    assert codec.waiting is not None
    ids.there = True
    await learning[1]

    assert codec.waiting is None


async def test_an_id_that_nobody_has_is_asked_for_with_each_chunk_and_with_no_record(
    ids: Ids, codec: StageCodec
) -> None:
    decode, strange = codec.decoder(CXoneInteraction), b"\0" + (4711).to_bytes(4, "big") + b"body"

    for _ in range(2):
        await codec.learn([strange] * 10)
        for _ in range(10):
            with pytest.raises(DecodeError, match="schema id 4711 is unknown"):
                decode(strange)

    assert ids.asked == [4711, 4711]


async def test_a_schema_that_comes_later_is_taken(ids: Ids, codec: StageCodec) -> None:
    data, decode = codec.encoder(CXoneInteraction)(RECORD), codec.decoder(CXoneInteraction)
    known, ids._schemas = ids._schemas, {}
    await codec.learn([data])
    with pytest.raises(DecodeError, match="is unknown"):
        decode(data)

    ids._schemas = known
    await codec.learn([data])

    assert decode(data) == RECORD
