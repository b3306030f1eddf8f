"""Alerts on a real Kafka, to a webhook and to a real Alertmanager, with workers that are killed."""

import time
from pathlib import Path

from confluent_kafka import Producer

from connectors.kafka.topic_admin import TopicAdmin
from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.records import MetricSnapshot
from schemas.releases import FileSchemaIds
from schemas.topics import METRICS_SNAPSHOTS
from streams.topology import topics
from tests.kafka.conftest import NewWorker
from tests.kafka.services.alert_receivers import Alertmanager, recorder
from tests.kafka.services.workers import until

MINUTE = 60_000
WITHIN = 60  # seconds
ENCODE = Codec(FileSchemaIds()).encoder(MetricSnapshot)


class Minutes:
    """Writes final minutes, one after the other, from a while ago on."""

    def __init__(self, bootstrap: str) -> None:
        TopicAdmin({"bootstrap.servers": bootstrap, "log_level": 0}).create(topics(), partitions=1)
        self._producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
        self.next = int(time.time() * 1000) // MINUTE * MINUTE - 600 * MINUTE

    def write(self, *values: float) -> None:
        for value in values:
            row = MetricSnapshot(self.next, "", 3, 3, value, 1.0, 1, 1, True, True, 1)
            self._producer.produce(METRICS_SNAPSHOTS.name, ENCODE(row), f"{self.next}|".encode(), 0)
            self.next += MINUTE
        assert self._producer.flush(30) == 0


def test_alertmanager_has_an_alert_through_a_kill_and_is_told_once_that_it_is_over(
    own_kafka: Broker, new_worker: NewWorker, tmp_path: Path
) -> None:
    def told() -> list[tuple[str, str]]:
        return sorted((body["status"], body["commonLabels"]["severity"]) for _, body in notified.requests)

    with recorder() as notified:
        alertmanager = Alertmanager(tmp_path, notified.url)
        try:
            minutes = Minutes(own_kafka.bootstrap)
            settings = {"ALERT_ALERTMANAGER_URL": alertmanager.url}
            worker = new_worker(own_kafka.bootstrap, "alerts", "notify", **settings).start()
            worker.ready()

            minutes.write(100, 250)
            written = time.monotonic()
            until(lambda: told() == [("firing", "warning")], WITHIN, "told of a warning")
            print(f"told after {time.monotonic() - written:.2f} s")  # noqa: T201 - pytest shows it
            worker.kill()
            worker.start().ready()
            assert len(alertmanager.active()) == 1
            minutes.write(400)
            warned = [("firing", "critical"), ("firing", "warning"), ("resolved", "warning")]
            until(lambda: told() == warned, WITHIN, "told that it is critical")
            assert [each["labels"]["severity"] for each in alertmanager.active()] == ["critical"]
            minutes.write(100, 100, 100)
            until(lambda: len(told()) > len(warned), WITHIN, "told that it is over")
            assert alertmanager.active() == []
            assert worker.terminate() == 0, worker.said("not stopped in order")
        finally:
            alertmanager.close()

    assert told() == sorted([*warned, ("resolved", "critical")])


def test_a_webhook_hears_of_every_alert_and_of_its_end_although_workers_are_killed(
    own_kafka: Broker, new_worker: NewWorker
) -> None:
    with recorder() as webhook:
        minutes = Minutes(own_kafka.bootstrap)
        settings = {"ALERT_WEBHOOK_URL": webhook.url}
        worker = new_worker(own_kafka.bootstrap, "alerts", "notify", **settings).start()
        worker.ready()
        for number in range(9):
            minutes.write(250, 100, 100)
            if number % 4 == 3:
                until(lambda: webhook.requests, WITHIN, "the first is told")
                worker.kill()
                worker.start()
        worker.ready()
        opened = minutes.next
        minutes.write(250)
        until(lambda: any(body["state"] == "open" for _, body in webhook.requests[-1:]), WITHIN, f"told of {opened}")

    newest = {body["alert_id"]: body for _, body in webhook.requests}
    assert [body["state"] for body in newest.values()].count("resolved") == 9
    assert len(newest) == 10
    bodies: dict[str | None, object] = {}
    for key, body in webhook.requests:
        assert bodies.setdefault(key, body) == body  # a repeat says the same
