"""Frames that are taken in runs, where that is compiled, leave what they leave one by one."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from connectors.cxone import dialect
from schemas import compiled
from schemas.avro import Codec
from schemas.envelope import REPLAY_FOR, Consumed
from schemas.records import InteractionCompleted
from schemas.releases import FileSchemaIds
from streams.core.contract import Chunk
from streams.core.raw_frames.frames import OUTCOMES, Frames
from streams.core.times import iso
from streams.stages.normalise.reading import interactions
from tests.streams.core.raw_frames.raw_frames import frames_counted

pytestmark = pytest.mark.skipif(not compiled.IS_BUILT, reason="the compiled step was not built: no C compiler")

CODEC = Codec(FileSchemaIds())
header, encode = CODEC.header(InteractionCompleted), CODEC.encoder(InteractionCompleted)
IN_RUNS = interactions(
    dialect.load("v2").interactions.fields.interaction(), clock_skew=600_000, encode=encode, header=header
)
ONE_BY_ONE = replace(IN_RUNS, usual_run=None)
START = 1_795_250_400_000  # ms
HORIZON = 9_000  # ms: slices of 3 seconds


def frame(event_id: str | None, at: int, campaign: str, *, odd: bool) -> bytes:
    content: dict[str, Any] = {
        "eventId": event_id,
        "type": "interaction.completed",
        "timestamp": iso(at, "milliseconds"),
    }
    return orjson.dumps(
        content | {"payload": {"campaignId": campaign, "handleTime": "1" if odd else 1, "waitTime": 0.5}}
    )


usual = st.builds(
    frame,
    st.sampled_from([*"abcdefghij", "é"]),
    st.integers(-5_000, 5_000).map(lambda passed: START + passed) | st.integers(0, 2 * START),
    st.sampled_from(["sales", "wählt"]),
    odd=st.sampled_from([False] * 9 + [True]),
)
others = st.sampled_from(
    [None, b"{", b'{"subscription":[]}', b'{"type":"x"}', b"7", frame(None, START, "s", odd=False)]
)
marks = st.sampled_from([()] * 9 + [((REPLAY_FOR, b"crm"),), ((REPLAY_FOR, b"normalise"),), (("a", b"b"),)])


@st.composite
def chunks(draw: st.DrawFn) -> list[Chunk]:
    """A log in chunks: frames that come twice, offsets with gaps and such as come again, a clock that may go back."""
    found, offset, arrived = list[Chunk](), draw(st.integers(0, 10**6)), START
    for _ in range(draw(st.integers(1, 4))):
        records = []
        for value, passed, gap, headers in draw(
            st.lists(
                st.tuples(
                    st.one_of(usual, usual, usual, others),
                    st.integers(0, 300) | st.integers(-2_000, 4_000) | st.just(8_000_000),
                    st.just(1) | st.integers(-3, 5),
                    marks,
                ),
                max_size=25,
            )
        ):
            offset, arrived = offset + gap, arrived + passed
            records.append(Consumed(offset, value, b"i", headers, arrived))
        found.append(Chunk("cxone.raw.interactions", 4, records))
    return found


def outcomes() -> list[float]:
    return [frames_counted(outcome) for outcome in OUTCOMES]


def all_of(reading: Any, log: list[Chunk], stored: dict[bytes, bytes]) -> Any:
    """Return all that can be seen of a partition, after each chunk."""
    core, seen = Frames(4, stored, horizon=HORIZON, reading=reading), list[Any]()
    for number, chunk in enumerate(log):
        before = outcomes()
        refused = core.fold(chunk)
        counted = [after - had for after, had in zip(outcomes(), before, strict=True)]
        time = core.event_time
        seen += [refused, counted, core.position, (time.passed, time.log_time, time.arrived)]
        seen.append(core.flush(0.0, seal=number % 2 == 1))
    return [*seen, core.flush(0.0, seal=True)]


@given(chunks())
def test_all_that_can_be_seen_is_the_same(log: list[Chunk]) -> None:
    one_by_one = all_of(ONE_BY_ONE, log, {})
    stored = {change.key: change.value for change in one_by_one[-1].seal if change.value is not None}

    event(f"frames in a row: {longest_run(log)}")
    assert all_of(IN_RUNS, log, {}) == one_by_one
    assert all_of(IN_RUNS, log[1:], stored) == all_of(ONE_BY_ONE, log[1:], stored)


def longest_run(log: list[Chunk]) -> int:
    longest, run = 0, IN_RUNS.usual_run
    assert run is not None
    for chunk in log:
        for begin in range(len(chunk.records)):
            taken, _, _ = run(chunk.records, begin, 4, -1, 2**62, min, lambda _: True)
            longest = max(longest, taken)
    return longest


def test_usual_frames_are_one_run() -> None:
    values = [frame(str(number), START - number, "sales", odd=False) for number in range(100)]
    log = Chunk("t", 4, [Consumed(7 * number, value, timestamp=START) for number, value in enumerate(values)])

    assert longest_run([log]) == 100
