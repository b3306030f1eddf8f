"""What is done about each kind of error of a transaction, without Kafka: a producer that does what a script says."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from confluent_kafka import KafkaError

from connectors.errors import AbortedError, ConfigurationError, ConnectorError, FencedError, PublishError
from connectors.kafka.publisher import transactional_config
from connectors.kafka.transactions import TransactionalPublisher
from schemas.envelope import Outgoing
from tests.support.sockets import until
from tests.support.transactions import ScriptedProducer, failure

Script = Mapping[str, list[BaseException | None]]
NewPublisher = Callable[..., TransactionalPublisher]

TIMED_OUT = failure(KafkaError._TIMED_OUT, retriable=True)
ABORT = failure(KafkaError.TOPIC_AUTHORIZATION_FAILED, abort=True)
FENCED = failure(KafkaError._FENCED, fatal=True)


def record(number: int) -> Outgoing:
    return Outgoing("topic", b"k", b"%d" % number)


class Lives:
    """The producers that a publisher makes, one after the other, and the time."""

    def __init__(self, *scripts: Script, in_turn: int = 1) -> None:
        self.producers = [ScriptedProducer(script) for script in scripts]
        self.made: list[ScriptedProducer] = []
        self.ids: list[object] = []  # of those made
        self.now = 0.0
        self.before: Callable[[str], object] = lambda _method: None  # of every producer that is made from now on
        self.publisher = TransactionalPublisher(
            transactional_config({"bootstrap.servers": "nowhere:1"}, "door-1"),
            new_producer=self._make,
            clock=lambda: self.now,
            in_turn=in_turn,
        )

    def held_up(self) -> threading.Event:
        """Have Kafka begin when the event is set."""
        going = threading.Event()
        self.before = lambda method: method == "init_transactions" and going.wait(60)
        return going

    def _make(self, config: Mapping[str, Any], **_: object) -> ScriptedProducer:
        producer = self.producers.pop(0) if self.producers else ScriptedProducer()
        producer.reported = config["error_cb"]
        producer.before = self.before
        self.made.append(producer)
        self.ids.append(config["transactional.id"])
        return producer


@pytest.fixture
async def lives() -> AsyncIterator[Callable[..., Lives]]:
    made: list[Lives] = []

    def make(*scripts: Script, in_turn: int = 1) -> Lives:
        made.append(Lives(*scripts, in_turn=in_turn))
        return made[-1]

    yield make
    for each in made:
        await each.publisher.close()


NewLives = Callable[..., Lives]


async def test_those_who_wait_together_share_a_transaction(lives: NewLives) -> None:
    life = lives()
    going = life.held_up()
    publishing = [asyncio.create_task(life.publisher.publish([record(i)])) for i in range(5)]
    await asyncio.sleep(0)

    going.set()
    await asyncio.gather(*publishing)

    assert life.made[0].committed == [[record(i) for i in range(5)]]
    assert life.publisher.blocked is None


async def test_who_comes_alone_has_a_transaction_alone(lives: NewLives) -> None:
    life = lives()
    await life.publisher.start()

    for i in range(3):
        await life.publisher.publish([record(i)])

    assert life.made[0].committed == [[record(0)], [record(1)], [record(2)]]


async def test_who_left_before_the_transaction_began_is_not_in_it(lives: NewLives) -> None:
    life = lives()
    going = life.held_up()
    left, stayed = (asyncio.create_task(life.publisher.publish([record(i)])) for i in range(2))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)

    going.set()
    await stayed

    assert life.made[0].committed == [[record(1)]]


async def test_a_commit_that_timed_out_is_committed_again(lives: NewLives) -> None:
    life = lives({"commit_transaction": [TIMED_OUT, TIMED_OUT]})
    await life.publisher.start()

    await life.publisher.publish([record(1)])

    assert life.made[0].calls.count("commit_transaction") == 3
    assert "abort_transaction" not in life.made[0].calls


async def test_an_error_that_asks_for_it_aborts_and_the_next_group_goes_on(lives: NewLives) -> None:
    life = lives({"commit_transaction": [ABORT], "abort_transaction": [TIMED_OUT]})
    await life.publisher.start()

    with pytest.raises(AbortedError, match="authorization"):
        await life.publisher.publish([record(1)])
    await life.publisher.publish([record(2)])

    assert life.made[0].committed == [[record(2)]]
    assert life.made[0].calls.count("abort_transaction") == 2


async def test_a_record_that_librdkafka_refuses_aborts(lives: NewLives) -> None:
    life = lives({"produce": [failure(KafkaError.MSG_SIZE_TOO_LARGE)]})
    await life.publisher.start()

    with pytest.raises(AbortedError, match="too large"):
        await life.publisher.publish([record(1)])

    assert life.made[0].committed == []


async def test_a_full_queue_is_waited_for(lives: NewLives) -> None:
    life = lives({"produce": [BufferError(), BufferError()]})
    await life.publisher.start()

    await life.publisher.publish([record(1)])

    assert life.made[0].committed == [[record(1)]]


async def test_what_is_asked_before_a_commit_may_forbid_it(lives: NewLives) -> None:
    life = lives()
    await life.publisher.start()

    def forbid() -> None:
        assert life.made[0].calls[-1] == "flush"
        raise RuntimeError("not ours any more")

    with pytest.raises(RuntimeError, match="not ours any more"):
        await life.publisher.publish([record(1)], forbid)

    await life.publisher.close()  # who waits is told before the abort
    assert life.made[0].committed == []
    assert life.made[0].calls[-1] == "abort_transaction"


async def test_what_is_given_up_is_aborted_and_what_follows_goes_on(lives: NewLives) -> None:
    life = lives()
    await life.publisher.start()

    with pytest.raises(PublishError, match="given up"):
        await life.publisher.publish([record(1)], life.publisher.give_up)
    await life.publisher.publish([record(2)])

    assert life.publisher.times_given_up == 1
    assert life.made[0].committed == [[record(2)]]


async def test_what_kafka_did_not_take_in_time_is_not_asked_about(lives: NewLives) -> None:
    life = lives()
    await life.publisher.start()
    life.made[0].left = 1
    asked: list[None] = []

    with pytest.raises(AbortedError, match="in time"):
        await life.publisher.publish([record(1)], lambda: asked.append(None))

    assert asked == []


async def test_an_abort_that_asks_nobody_does_not_end_an_outage(lives: NewLives) -> None:
    """What was never with Kafka is aborted without it: only an answer of Kafka's own lets anybody in again."""
    life = lives({"commit_transaction": [TIMED_OUT, ABORT], "list_topics": [TIMED_OUT, TIMED_OUT]})
    blocked: list[str | None] = []

    def note(method: str) -> None:
        if method == "commit_transaction":
            life.now += 3.0
        elif method == "list_topics":
            blocked.append(life.publisher.blocked)

    life.before = note
    await life.publisher.start()

    with pytest.raises(AbortedError):
        await life.publisher.publish([record(1)])
    await life.publisher.publish([record(2)])

    assert blocked == ["Kafka does not answer a commit (no answer)"] * 3
    assert life.made[0].committed == [[record(2)]]
    assert life.publisher.blocked is None


async def test_a_close_does_not_wait_for_the_end_of_an_outage(lives: NewLives) -> None:
    life = lives({"commit_transaction": [TIMED_OUT, ABORT]})
    asked = threading.Event()

    def note(method: str) -> None:
        if method == "commit_transaction":
            life.now += 3.0
        elif method == "list_topics":
            asked.set()
            raise TIMED_OUT

    life.before = note
    await life.publisher.start()
    with pytest.raises(AbortedError):
        await life.publisher.publish([record(1)])
    assert await asyncio.to_thread(asked.wait, 60)

    await life.publisher.close()

    assert life.publisher.blocked == "closed"


async def test_an_abort_that_is_refused_ends_the_producer(lives: NewLives) -> None:
    life = lives({"commit_transaction": [ABORT], "abort_transaction": [failure(KafkaError._STATE)]})
    await life.publisher.start()

    with pytest.raises(AbortedError):
        await life.publisher.publish([record(1)])
    await life.publisher.publish([record(2)])

    assert life.publisher.initialisations == 2


async def test_a_fenced_producer_is_replaced_once(lives: NewLives) -> None:
    life = lives({"commit_transaction": [FENCED]})
    await life.publisher.start()

    with pytest.raises(PublishError, match="not known"):
        await life.publisher.publish([record(1)])
    await life.publisher.publish([record(2)])

    assert [producer.committed for producer in life.made] == [[], [[record(2)]]]
    assert life.publisher.initialisations == 2


async def test_who_is_fenced_again_within_a_minute_ends_and_names_the_id(lives: NewLives) -> None:
    life = lives({"commit_transaction": [FENCED]}, {"commit_transaction": [None, FENCED]})
    await life.publisher.start()
    with pytest.raises(PublishError):
        await life.publisher.publish([record(1)])
    await life.publisher.publish([record(2)])
    life.now = 59.0

    with pytest.raises(PublishError):
        await life.publisher.publish([record(3)])
    with pytest.raises(FencedError, match=r"door-1.*another program"):
        await life.publisher.watch()
    with pytest.raises(AbortedError):
        await life.publisher.publish([record(4)])

    assert life.publisher.initialisations == 2


async def test_producers_take_turns_under_ids_of_their_own(lives: NewLives) -> None:
    life = lives(in_turn=2)
    await life.publisher.start()

    for number in range(4):
        await life.publisher.publish([record(number)])

    assert life.ids == ["door-1-0", "door-1-1"]
    assert [each.committed for each in life.made] == [[[record(0)], [record(2)]], [[record(1)], [record(3)]]]


async def test_each_id_may_be_fenced_once_in_a_minute(lives: NewLives) -> None:
    life = lives(
        {"commit_transaction": [FENCED]}, {"commit_transaction": [FENCED]}, {"commit_transaction": [FENCED]}, in_turn=2
    )
    await life.publisher.start()

    for number in range(3):
        with pytest.raises(PublishError):
            await life.publisher.publish([record(number)])
    with pytest.raises(FencedError, match=r"door-1-0.*another program"):
        await life.publisher.watch()

    assert life.ids == ["door-1-0", "door-1-1"] * 2


async def test_who_is_fenced_again_after_a_minute_goes_on(lives: NewLives) -> None:
    life = lives({"commit_transaction": [FENCED]}, {"commit_transaction": [FENCED]})
    await life.publisher.start()

    with pytest.raises(PublishError):
        await life.publisher.publish([record(1)])
    await until(lambda: life.publisher.initialisations == 2)  # who waits is told before
    life.now = 61.0
    with pytest.raises(PublishError):
        await life.publisher.publish([record(1)])
    await life.publisher.publish([record(2)])

    assert life.publisher.initialisations == 3


async def test_a_transaction_that_kafka_gave_up_counts_as_nobodys_fence(lives: NewLives) -> None:
    fence = {"commit_transaction": [FENCED]}
    life = lives(fence, fence, fence)

    def late(method: str) -> None:
        if method == "produce":
            life.now += 11.0  # longer than Kafka lets a transaction be open

    life.before = late
    await life.publisher.start()

    for _ in range(3):
        with pytest.raises(PublishError):
            await life.publisher.publish([record(1)])
    await life.publisher.publish([record(2)])


async def test_kafka_may_be_slow_to_begin(lives: NewLives) -> None:
    life = lives({"init_transactions": [TIMED_OUT, TIMED_OUT]})

    await life.publisher.start()

    await life.publisher.publish([record(1)])
    assert life.made[0].committed == [[record(1)]]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "transactional id door-1"),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, "IdempotentWrite on the cluster"),
    ],
)
async def test_a_missing_right_is_a_sentence(lives: NewLives, code: int, words: str) -> None:
    life = lives({"init_transactions": [failure(code, fatal=True)]})
    life.producers[0].fatal = failure(code, fatal=True)

    with pytest.raises(ConfigurationError, match=words):
        await life.publisher.start()


async def test_a_wrong_password_is_a_sentence(lives: NewLives) -> None:
    life = lives({"init_transactions": [TIMED_OUT] * 100})
    life.producers[0].say = KafkaError(KafkaError._AUTHENTICATION)

    with pytest.raises(ConfigurationError, match="KAFKA_SASL_PASSWORD"):
        await life.publisher.start()


async def test_who_gets_no_answer_at_the_start_hears_so(lives: NewLives) -> None:
    life = lives({"init_transactions": [TIMED_OUT] * 1_000_000})

    with pytest.raises(ConnectorError, match="does not begin transactions of door-1"):
        await life.publisher.start(within=0.05)


async def test_a_close_commits_what_waits_and_takes_no_more(lives: NewLives) -> None:
    life = lives()
    await life.publisher.start()
    publishing = asyncio.create_task(life.publisher.publish([record(1)]))
    await asyncio.sleep(0)

    await life.publisher.close()

    await publishing
    with pytest.raises(AbortedError, match="closed"):
        await life.publisher.publish([record(2)])


async def test_nothing_is_published_at_once(lives: NewLives) -> None:
    assert await lives().publisher.publish([]) == {}
