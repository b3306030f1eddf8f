"""The fake keeps what Kafka's publisher promises."""

from dataclasses import dataclass, field

import pytest

from connectors.errors import PublishError
from connectors.publisher import RecordingPublisher
from schemas.records import Outgoing
from tests.connectors.publisher_contract import PublisherContract


@dataclass
class RecordingTopic:
    name: str = "topic"
    publisher: RecordingPublisher = field(default_factory=RecordingPublisher)

    def read(self) -> list[Outgoing]:
        return self.publisher.records

    def refused(self) -> Outgoing:
        self.publisher.refuse = "Message size too large"
        return Outgoing(self.name, b"k", b"v")


class TestRecordingPublisher(PublisherContract):
    @pytest.fixture
    def topic(self) -> RecordingTopic:
        return RecordingTopic()

    async def test_a_refused_batch_is_not_recorded(self, topic: RecordingTopic) -> None:
        record = topic.refused()

        with pytest.raises(PublishError, match="Message size too large"):
            await topic.publisher.publish([record])

        assert topic.read() == []

    async def test_closing_is_fine_at_any_time(self, topic: RecordingTopic) -> None:
        await topic.publisher.close()
