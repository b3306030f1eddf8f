"""Commands beside others' edits, lost answers and kills: nobody's edit is lost, every PUT is audited."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.stages.dashboards.json_text import dumps
from tests.streams.stages.dashboards.payloads import FILE, document, in_cxone
from tests.streams.stages.dashboards.world import Cxone, World

OURS = ("name", "description")
FINAL = {"applied", "conflict", "contended"}


def ours(name: int, description: int) -> dict[str, Any]:
    return {**document(FILE), "name": f"n{name}", "description": f"d{description}"}


@st.composite
def foreign(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Return edits of others: their own fields, and now and then one of ours."""
    fields = draw(st.lists(st.sampled_from(["their", "other", "name"]), max_size=4))
    return [(name, f"foreign-{number}") for number, name in enumerate(fields)]


def edit(name: str, value: str) -> Callable[[dict[str, Any]], None]:
    return lambda theirs: theirs.update({name: value})


CASES = int(os.environ.get("CXONE_LAW_CASES", "25"))


@settings(max_examples=CASES)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=4),
    foreign(),
    st.lists(st.sampled_from(["", "", "lost", "away", "5xx"]), max_size=8),
    st.sets(st.integers(1, 120), max_size=3),
)
def test_nothing_is_lost_and_every_put_is_audited(
    files: list[tuple[int, int]], edits: list[tuple[str, str]], faults: list[str], kills: set[int]
) -> None:
    cxone = Cxone(in_cxone(), meanwhile=[edit(*each) for each in edits], faults=["", *faults])
    world = World(cxone, kills=kills)
    commands = [world.command(document(), kind="adopt"), *(world.command(ours(*each)) for each in files)]

    world.run()

    records = world.audit()
    intents = [record for record in records if record.kind == "intent"]
    outcomes = {record.attempt: record for record in records if record.kind == "outcome"}
    settled = {record.attempt: record for record in records if record.kind == "settled"}
    # Every command has come to an end.
    assert {world.verdicts[command].status for command in commands} <= FINAL
    # Every PUT that CXone saw has its intent, in order, and no intent stands for two.
    waiting = [intent.payload_hash for intent in intents]
    for hashed, _ in cxone.puts:
        assert hashed in waiting
        waiting = waiting[waiting.index(hashed) + 1 :]
    assert len(cxone.puts) <= len(intents)
    # Every intent has its outcome; what is unknown is settled; as many say applied as CXone took, at most.
    for intent in intents:
        assert outcomes[intent.attempt].status is not None
        assert (outcomes[intent.attempt].status == "unknown") == (intent.attempt in settled)
    taken = [answer for _, answer in cxone.puts].count(200)
    sure = [*outcomes.values(), *settled.values()]
    unsure = sum(record.status == "unknown" for record in settled.values())
    said = sum(record.status == "applied" for record in sure)
    assert said <= taken <= said + unsure
    # What a PUT of ours changed is what a file said; nothing that others wrote went with it.
    for before, after in cxone.writes:
        for name in before.keys() | after.keys():
            if dumps(before.get(name)) != dumps(after.get(name)):
                assert name in OURS
                assert after[name] in {value for file in files for value in (f"n{file[0]}", f"d{file[1]}")}
    # The last edit of each field that is others' alone is there.
    assert cxone.document is not None
    made = edits[: len(edits) - len(cxone.meanwhile)]
    for name, value in dict(made).items():
        if name != "name":
            assert cxone.document[name] == value
    # What was applied last is there, unless others changed it afterwards.
    last = world.verdicts[commands[-1]]
    if last.status == "applied":
        wanted, description = files[-1]
        assert cxone.document["description"] == f"d{description}"
        assert cxone.document["name"] in {f"n{wanted}", *(value for field, value in made if field == "name")}
