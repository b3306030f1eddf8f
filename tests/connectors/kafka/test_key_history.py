"""A memory that processes share: one key of a topic, on the embedded broker."""

from collections.abc import AsyncIterator

import pytest

from connectors.errors import Unavailable
from connectors.kafka import key_history
from connectors.kafka.embedded import EmbeddedBroker
from connectors.kafka.key_history import KeyHistory
from connectors.kafka.publisher import KafkaPublisher
from schemas.topics import SUBSCRIPTIONS


@pytest.fixture(name="config")
async def _config() -> AsyncIterator[dict[str, object]]:
    broker = EmbeddedBroker()
    yield {"bootstrap.servers": broker.bootstrap_servers}
    broker.close()


async def test_what_was_remembered_under_a_key_comes_back_in_order(config: dict[str, object]) -> None:
    publisher = KafkaPublisher(config)
    mine, other = (KeyHistory(config, SUBSCRIPTIONS, key, publisher) for key in (b"mine", b"other"))
    for value in (b"1", b"2"):
        await mine.remember(value)
        await other.remember(b"x")

    found = await KeyHistory(config, SUBSCRIPTIONS, b"mine", publisher).recall()

    await publisher.close()
    assert found == [b"1", b"2"]


async def test_a_key_that_nobody_wrote_has_no_history(config: dict[str, object]) -> None:
    publisher = KafkaPublisher(config)
    await KeyHistory(config, SUBSCRIPTIONS, b"other", publisher).remember(b"x")

    assert await KeyHistory(config, SUBSCRIPTIONS, b"mine", publisher).recall() == []
    await publisher.close()


async def test_a_kafka_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch, config: dict[str, object]) -> None:
    monkeypatch.setattr(key_history, "TIMEOUT", 0.2)
    publisher = KafkaPublisher(config)
    history = KeyHistory({"bootstrap.servers": "127.0.0.1:1"}, SUBSCRIPTIONS, b"mine", publisher)

    with pytest.raises(Unavailable, match=r"cxone\.subscriptions within 0\.2 s"):
        await history.recall()
    await publisher.close()
