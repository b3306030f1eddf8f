"""Workers of two releases in one group: what the older one does with state that the newer one has written."""

from confluent_kafka import Producer

from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.envelope import SOURCE_POSITION
from schemas.records import CampaignHour, InteractionCompleted
from schemas.releases import FileSchemaIds
from schemas.topics import CAMPAIGN_HOURLY, INTERACTIONS_COMPLETED
from streams.core.state_format import KEY
from streams.topology import DECLARATIONS
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.hours import read
from tests.kafka.services import next_release
from tests.kafka.services.workers import until
from tests.kafka.test_worker import create_topics

(WINDOWS,) = DECLARATIONS["percentiles"].changelogs
(TABLE,) = DECLARATIONS["percentiles"].tables
CODEC = Codec(FileSchemaIds())
AT = 1_795_255_200_000  # ms
PARTITIONS = 2


def produce(broker: Broker, *offsets: int) -> None:
    """Produce an interaction of each raw offset to each partition, of a campaign that is called after it."""
    encode = CODEC.encoder(InteractionCompleted)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    for partition in range(PARTITIONS):
        value = encode(InteractionCompleted(None, f"of {partition}", 60.0, 5.0, AT))
        for offset in offsets:
            headers = [(SOURCE_POSITION, b"%d:%d" % (partition, offset))]
            producer.produce(INTERACTIONS_COMPLETED.name, value, headers=headers, partition=partition)
    assert producer.flush(30) == 0


def await_counts(broker: Broker, count: int) -> None:
    """Wait until the newest rows count so many interactions of each campaign."""
    decode = CODEC.decoder(CampaignHour)

    def counted() -> bool:
        rows = [decode(record.value()) for record in read(broker.bootstrap, CAMPAIGN_HOURLY.name)]
        newest = {row.campaign_id: row.count for row in rows}  # of each campaign in order
        return newest == {f"of {partition}": count for partition in range(PARTITIONS)}

    until(counted, 60, f"rows that count {count}")


def await_form(broker: Broker, version: int) -> None:
    """Wait until a partition of the changelog says that it is of this version."""
    until(
        lambda: any(
            record.key().endswith(KEY) and b'"version":%d' % version in record.value()
            for record in read(broker.bootstrap, WINDOWS.name)
            if record.value() is not None
        ),
        60,
        "state of this version",
    )


def test_an_older_worker_ends_when_it_meets_newer_state_and_the_newer_one_counts_on(
    own_kafka: Broker, new_worker: NewWorker
) -> None:
    create_topics(own_kafka, partitions=PARTITIONS)
    old = new_worker(own_kafka.bootstrap, "percentiles")
    new = new_worker(own_kafka.bootstrap, "percentiles", program=(next_release.__file__, "worker"))
    old.start().ready()
    produce(own_kafka, *range(10))
    await_form(own_kafka, TABLE.version)
    await_counts(own_kafka, 10)

    new.start().ready()  # it has one of two partitions now, and the older one the other
    produce(own_kafka, *range(10, 20))
    await_form(own_kafka, TABLE.version + 1)
    await_counts(own_kafka, 20)
    assert old.runs, old.said("an older worker goes on with what it has")

    assert new.terminate() == 0  # as when somebody goes back to the older release
    assert old.exit_code(within=60) == 2, old.said("not refused")
    for words in ("written by a newer cxone-streams", WINDOWS.name):
        assert words in old.log.read_text()

    new.start().ready()
    produce(own_kafka, *range(20, 30))
    await_counts(own_kafka, 30)
