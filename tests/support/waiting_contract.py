"""What a stage does about a registry that hangs: the same with a stand-in and with a real one."""

import asyncio
from contextlib import closing
from typing import Protocol

import pytest

from connectors.kafka import schema_registry
from connectors.settings import RegistrySettings
from schemas.avro import Codec
from schemas.records import CXoneInteraction
from streams.runtime.schemas import StageCodec

RECORD = CXoneInteraction("i-1", "voice", 1_795_250_400_000, "a@b.example", None)
OFTEN = 0.001  # seconds


class Freezable(Protocol):
    """A registry that can hang."""

    url: str

    def pause(self) -> None: ...
    def resume(self) -> None: ...


class WaitingContract:
    """Subclasses have a fixture `registry`."""

    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(schema_registry, "TIMEOUT", 0.5)
        monkeypatch.setattr(schema_registry, "RETRIES", 0)

    async def test_a_schema_is_waited_for_while_the_registry_hangs(self, registry: Freezable) -> None:
        settings = RegistrySettings.model_validate({"url": registry.url})
        with closing(schema_registry.registry(settings)) as writers:
            data = Codec(writers).encoder(CXoneInteraction)(RECORD)
        with closing(schema_registry.registry(settings)) as ids:
            codec, turns = StageCodec(ids, pause=0.1), 0
            decode = codec.decoder(CXoneInteraction)

            registry.pause()
            learning = asyncio.create_task(codec.learn([data]))
            while codec.waiting is None:
                turns += 1
                await asyncio.sleep(OFTEN)
            assert "does not answer" in codec.waiting
            assert not learning.done()
            registry.resume()
            await learning

        assert turns > 10, "the event loop stood still"
        assert codec.waiting is None
        assert decode(data) == RECORD
