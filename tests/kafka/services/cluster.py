"""Several brokers that are one cluster, each to be killed and started again."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

from connectors.kafka.topic_admin import configuration
from deploy.local.kafka.broker import SHORT_LIVED, Broker
from schemas.topics import TopicSpec
from tests.kafka.services.workers import until
from tests.support.ports import free_port

NODES = 1, 2, 3
EVERYWHERE = list(NODES)

PROPERTIES = """
node.id={node}
controller.quorum.voters={voters}
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
"""


class Cluster:
    """Three brokers, `broker[1]` to `broker[3]`. What is written with acks=all is on two of them."""

    def __init__(self, folder: Path) -> None:
        ports: dict[int, int] = {}
        for node in NODES:
            while (port := free_port()) in ports.values():
                pass
            ports[node] = port
        voters = ",".join(f"{node}@127.0.0.1:{port + 1}" for node, port in ports.items())
        self.broker = {
            node: Broker(port, folder / str(node), PROPERTIES.format(node=node, voters=voters), SHORT_LIVED)
            for node, port in ports.items()
        }
        self.bootstrap = ",".join(broker.bootstrap for broker in self.broker.values())

    def start(self) -> None:
        """Start all at a time: each waits for the majority."""
        with ThreadPoolExecutor(len(NODES)) as pool:
            for started in [pool.submit(broker.start) for broker in self.broker.values()]:
                started.result()

    def kill(self) -> None:
        for broker in self.broker.values():
            broker.kill()

    def create(self, specs: Sequence[TopicSpec], partitions: int, placed: Mapping[str, list[list[int]]]) -> None:
        """Make topics on all brokers, or as `placed`: {topic: nodes of each partition}."""
        admin: Any = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        everywhere = [EVERYWHERE[number % 3 :] + EVERYWHERE[: number % 3] for number in range(partitions)]
        wanted = []
        for spec in specs:
            nodes = placed.get(spec.name, everywhere)
            needed = {"min.insync.replicas": str(min(2, len(nodes[0])))}
            wanted.append(
                NewTopic(spec.name, partitions, replica_assignment=nodes, config=configuration(spec) | needed)
            )
        for answer in admin.create_topics(wanted, operation_timeout=60).values():
            answer.result(120)

    def await_replicas(self, within: float = 120) -> None:
        """Wait until every replica of every partition is in sync."""
        admin: Any = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

        def in_sync() -> bool:
            topics = admin.list_topics(timeout=30).topics.values()
            partitions = [partition for topic in topics for partition in topic.partitions.values()]
            return all(set(partition.isrs) == set(partition.replicas) for partition in partitions)

        until(in_sync, within, "all replicas are in sync")
