"""Workers of one group have one file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connectors.errors import ConfigurationError, ConnectorError
from connectors.kafka.group_members import Member
from connectors.sinks.sqlite.one_file import OneFile

FARAWAY = -5.0  # seconds of a session that is over with the patience for it


@dataclass
class Group:
    """The group as Kafka tells of it: one answer for each question, the last of them from then on."""

    answers: list[Sequence[Member]] = field(default_factory=lambda: [[]])
    asked: int = 0
    away: bool = False

    def of(self, group: str) -> Sequence[Member]:
        assert group == "cxone-sqlite"
        self.asked += 1
        if self.away:
            raise ConnectorError("does not answer")
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def worker(self, path: str, *, session: float = FARAWAY) -> OneFile:
        return OneFile("cxone-sqlite", Path(path), self, session=session, pause=0.0)


def member(path: str) -> Member:
    return Member(Group().worker(path).client_id, "/10.0.0.7")


async def test_a_worker_joins_those_that_have_its_file() -> None:
    group = Group([[member("/data/ä b:%.db"), Member("another program", "/10.0.0.8")]])

    await group.worker("/data/ä b:%.db").let_in()

    assert member("/data/ä b:%.db").client_id.isascii()


async def test_a_worker_with_another_file_is_refused_and_told_which_the_group_has() -> None:
    group = Group([[member("/data/ä.db")]])

    with pytest.raises(ConfigurationError) as refused:
        await group.worker("/other.db").let_in()

    assert str(refused.value) == (
        "SQLITE_PATH is /other.db, and another worker of cxone-sqlite (at 10.0.0.7) has /data/ä.db: "
        "give all the same, or stop that one first"
    )


async def test_one_that_died_is_waited_for_as_long_as_its_group_counts_it() -> None:
    group = Group([[member("/old.db")], [member("/old.db")], []])

    await group.worker("/new.db", session=60).let_in()

    assert group.asked == 3


async def test_of_two_that_began_together_the_standby_ends() -> None:
    group = Group([[member("/a.db"), member("/b.db")]])
    worker = group.worker("/b.db")

    await worker.look(lambda: False)
    with pytest.raises(ConfigurationError):
        await worker.look(lambda: True)


async def test_a_kafka_that_does_not_tell_keeps_nobody_out() -> None:
    group = Group(away=True)

    await group.worker("/a.db").let_in()
    await group.worker("/a.db").look(lambda: True)
