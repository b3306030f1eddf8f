"""Records that are added in runs, where that is compiled, leave what they leave one by one."""

from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from schemas import compiled
from schemas.avro import Codec
from schemas.envelope import LOG_TIME, REPLAY_FOR, SOURCE_POSITION, Consumed, Headers
from schemas.records import CampaignHour, InteractionCompleted
from schemas.releases import FileSchemaIds
from streams.core.contract import Chunk
from streams.core.keyed_rows import KeyedRows
from streams.core.taken import FARTHEST
from streams.core.windows.watermark import RawProgress, Watermark
from streams.stages.percentiles.hours import Hours, Policy
from streams.stages.percentiles.window import HOUR

pytestmark = pytest.mark.skipif(not compiled.IS_BUILT, reason="the compiled step was not built: no C compiler")

CODEC = Codec(FileSchemaIds())
decode, encode = CODEC.decoder(InteractionCompleted), CODEC.encoder(InteractionCompleted)
POLICY = Policy(allowed_lateness=0, retention=2 * HOUR, exact_values=5)
START = 1_795_248_000_000  # ms: an hour begins


def rule(*, in_runs: bool) -> Hours:
    return Hours(
        POLICY,
        decode=decode,
        alike=CODEC.alike(InteractionCompleted) if in_runs else None,
        encode=CODEC.encoder(CampaignHour),
    )


events = st.builds(
    InteractionCompleted,
    st.sampled_from(["e"] * 40 + ["é", None]),
    st.sampled_from(["a", "a", "b", "wählt"]),
    st.sampled_from([0.0, 1.0, 2.5] * 12 + [1e9, -1.0, float("nan")]),
    st.sampled_from([-0.0, 1.0, 2.5, 300.0]),
    st.integers(0, 3 * HOUR - 1).map(lambda passed: START + passed),
)
usual = events.map(encode)
values = st.one_of([usual] * 40 + [st.sampled_from([None, b"", b"{"])])


@st.composite
def records(draw: st.DrawFn) -> list[Consumed]:
    """Records of two raw partitions, some with another position than comes next, some late, some with other headers."""
    offsets, found = {0: 0, 1: 0}, list[Consumed]()
    ahead = st.sampled_from([1] * 40 + [-4, -1, 0, 2, 4, FARTHEST + 5])
    come_to = st.sampled_from([0] * 40 + [HOUR, 3 * HOUR, 4 * HOUR, 6 * HOUR]).map(lambda passed: START + passed)
    other: st.SearchStrategy[Headers] = st.sampled_from([()] * 40 + [((REPLAY_FOR, b"crm"),), (("a", b"b"),)])
    steps = st.tuples(st.integers(0, 1), values, ahead, come_to, other, st.booleans())
    for raw, value, gap, log_time, headers, is_list in draw(st.lists(steps, max_size=40)):
        offset = max(offsets[raw] + gap, 0)
        offsets[raw] = offset if gap < FARTHEST else offsets[raw]
        all_: Headers = (*headers, (SOURCE_POSITION, b"%d:%d" % (raw, offset)), (LOG_TIME, b"%d" % log_time))
        of_either_kind: Any = list(all_) if is_list else all_
        found.append(Consumed(len(found), value, b"k", of_either_kind))
    return found


def seen_of(log: list[Consumed], parts: list[int], *, in_runs: bool) -> Any:
    """Return what comes of records in chunks; of a second life, too, which finds a flush that was not completed."""
    seen, stored = list[Any](), dict[bytes, bytes]()
    for life in (1, 2):
        core = KeyedRows(0, stored, rule=rule(in_runs=in_runs), time=Watermark(0, RawProgress()), life=life)
        begin = 0
        for number, part in enumerate(parts):
            refused = core.fold(Chunk("t", 0, log[begin : begin + part]))
            begin += part
            flush = core.flush(float(number))
            seen += [refused, flush, dict(core.taken.positions)]
            for change in [*flush.state, *(flush.seal if number % 2 == 0 else [])]:
                if change.value is None:
                    stored.pop(change.key, None)
                else:
                    stored[change.key] = change.value
            if number % 2:
                break  # what it has sealed did not arrive
    return seen


@given(records(), st.lists(st.integers(1, 15), min_size=1, max_size=4))
def test_all_that_can_be_seen_is_the_same(log: list[Consumed], parts: list[int]) -> None:
    event(f"records in a row: {longest_run(log)}")
    assert repr(seen_of(log, parts, in_runs=True)) == repr(seen_of(log, parts, in_runs=False))


def longest_run(log: list[Consumed]) -> int:
    decode(encode(InteractionCompleted("e", "a", 1.0, 1.0, START)))  # which makes its header known
    of, longest = rule(in_runs=True), 0
    assert of.usual_run is not None
    hours = {(name, START + hour * HOUR): of.begin(("", 0)) for name in ("a", "b", "wählt") for hour in range(3)}
    for begin in range(len(log)):
        longest = max(longest, of.usual_run(log, begin, {}, hours, {}))
    return longest


def test_usual_records_are_one_run() -> None:
    value = encode(InteractionCompleted("e", "a", 1.0, 1.0, START))
    log = [
        Consumed(offset, value, None, ((SOURCE_POSITION, b"%d:%d" % (offset % 2, offset)), (LOG_TIME, b"%d" % START)))
        for offset in range(1, 101)
    ]

    assert longest_run(log) == 100
