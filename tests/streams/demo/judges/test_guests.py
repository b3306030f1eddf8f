from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from schemas.dead_letters import DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.envelope import EVENT_ID, SOURCE_POSITION
from streams.demo.guest_board import Guests
from streams.demo.judges.guests import GuestVerdict, Ledgers, allowed, judge

GIVEN_UP = "e-3"  # everything else that is admitted is routed


def message(number: int, *, fingerprint: object = "f-1", at: int = 0, conversation: str = "c-1") -> dict[str, Any]:
    return {
        "event_id": f"e-{number}",
        "conversation_id": conversation,
        "fingerprint": fingerprint,
        "text": f"text {number}",
        "said_at": at,
    }


# A bot: fifteen are admitted, two not; then another guest, in two conversations.
SAID = [message(number, at=100 * number) for number in range(17)] + [
    message(number, fingerprint="f-2", conversation=f"c-{number % 2 + 2}") for number in range(17, 21)
]
ADMITTED = [said for said in SAID if said["event_id"] not in {"e-15", "e-16"}]
ROUTED = [said for said in ADMITTED if said["event_id"] != GIVEN_UP]


class World:
    """A run in which all is right, to be spoilt."""

    def __init__(self) -> None:
        self.guests = Guests(said={"inbound": len(SAID), "malformed": 2, "written_again": 0})
        for said in SAID:
            admitted, throttled = self.guests.admitted, self.guests.throttled
            (admitted if said in ADMITTED else throttled).add(self.headers(said["event_id"]))
        for said in ROUTED:
            self.guests.routed.add(self.headers(said["event_id"]))
        self.dead("routing", b"admitted:0:3", GIVEN_UP)
        self.dead("messages", b"raw:0:99")
        self.dead("connect messaging", b"socket:1:7")
        self.keys = [
            {
                "key": f"0-{said['event_id'][2:]}",
                "conversation_id": said["conversation_id"],
                "text": said["text"],
                "order": order,
            }
            for order, said in enumerate(ROUTED, 1)
        ] + [{"key": "0-3", "conversation_id": "c-1", "text": "text 3", "order": None}]
        self.contacts = [
            {"external_id": said["conversation_id"], "last_message": said["text"], "times": 1} for said in ADMITTED
        ]

    @staticmethod
    def headers(event: str) -> dict[str, bytes]:
        return {SOURCE_POSITION: f"0:{event[2:]}".encode(), EVENT_ID: event.encode()}

    def dead(self, stage: str, source: bytes, event: str | None = None) -> None:
        known = {} if event is None else {EVENT_ID: event.encode()}
        why = {DEAD_STAGE: stage.encode(), DEAD_SOURCE: source, DEAD_REASON: b"reason"}
        self.guests.dead_letter({**why, **known})

    def verdict(self) -> GuestVerdict:
        return judge(self.guests, Ledgers(SAID, self.keys, self.contacts, repeats=0))


def test_agrees_with_what_is_right() -> None:
    assert World().verdict() == GuestVerdict(unaccounted=0, overtaken=0, repeats=0, mismatches=())


def test_the_rule_is_of_any_window_with_both_its_ends() -> None:
    burst = [message(number, at=number) for number in range(15)]

    assert allowed([*burst, message(15, at=60_000)]) == {f"e-{number}" for number in range(15)}
    assert "e-15" in allowed([*burst, message(15, at=60_001)])


@pytest.mark.parametrize(
    ("fingerprint", "together"), [("f", True), (None, False), ({"deviceToken": "d", "os": "Linux"}, True)]
)
def test_a_guest_is_a_browser_or_else_a_conversation(fingerprint: object, *, together: bool) -> None:
    said = [message(number, fingerprint=fingerprint, conversation=f"c-{number % 2}") for number in range(16)]

    assert len(allowed(said)) == (15 if together else 16)


def lost(world: World) -> None:
    del world.guests.admitted.events["0:0"]
    del world.guests.routed.events["0:0"]
    world.keys.pop(0)
    world.contacts.pop(0)


def admitted_and_throttled(world: World) -> None:
    world.guests.throttled.add(World.headers("e-0"))


def admitted_under_two_positions(world: World) -> None:
    world.guests.admitted.add({SOURCE_POSITION: b"1:0", EVENT_ID: b"e-0"})


def throttled_without_need(world: World) -> None:
    lost(world)
    world.guests.throttled.add(World.headers("e-0"))


def admitted_beyond_the_limit(world: World) -> None:
    del world.guests.throttled.events["0:15"]
    world.guests.admitted.add(World.headers("e-15"))


def not_routed(world: World) -> None:
    del world.guests.routed.events["0:0"]
    world.keys.pop(0)


def routed_and_a_dead_letter(world: World) -> None:
    world.dead("routing", b"admitted:0:0", "e-0")


def a_dead_letter_twice(world: World) -> None:
    world.dead("routing", b"admitted:1:3", GIVEN_UP)


def routed_under_two_keys(world: World) -> None:
    world.keys.append(world.keys[0] | {"key": "1-0", "order": 99})


def routed_with_other_words(world: World) -> None:
    world.keys[0]["text"] = "other words"


def result_without_a_call(world: World) -> None:
    world.keys[0]["order"] = None


def overtaken(world: World) -> None:
    world.keys[0]["order"], world.keys[1]["order"] = 2, 1


def not_in_the_crm(world: World) -> None:
    world.contacts.pop()


def twice_in_the_crm(world: World) -> None:
    world.contacts[0]["times"] = 2


def twice_in_the_crm_with_two_times(world: World) -> None:
    world.contacts.append(world.contacts[0] | {"queued_at": "later"})


def throttled_in_the_crm(world: World) -> None:
    world.contacts.append({"external_id": "c-1", "last_message": "text 15", "times": 1})


def stranger_in_the_crm(world: World) -> None:
    world.contacts.append({"external_id": "c-1", "last_message": "never said", "times": 1})


def given_up_though_taken(world: World) -> None:
    world.keys[-1]["order"] = 3.5  # in its place among the others


def stranger_admitted(world: World) -> None:
    world.guests.admitted.add({SOURCE_POSITION: b"9:9", EVENT_ID: b"e-99"})


def stranger_throttled(world: World) -> None:
    world.guests.throttled.add({SOURCE_POSITION: b"9:9", EVENT_ID: b"e-99"})


def stranger_routed(world: World) -> None:
    world.guests.routed.add({SOURCE_POSITION: b"9:9", EVENT_ID: b"e-99"})
    world.keys.append(world.keys[0] | {"key": "9-9", "conversation_id": "c-9", "order": 99})


def malformed_in_silence(world: World) -> None:
    del world.guests.dead["messages", "raw:0:99"]


def good_frame_refused(world: World) -> None:
    world.dead("messages", b"raw:0:98")


@pytest.mark.parametrize(
    "spoil",
    [
        lost,
        admitted_and_throttled,
        admitted_under_two_positions,
        throttled_without_need,
        admitted_beyond_the_limit,
        not_routed,
        routed_and_a_dead_letter,
        a_dead_letter_twice,
        routed_under_two_keys,
        routed_with_other_words,
        result_without_a_call,
        overtaken,
        not_in_the_crm,
        twice_in_the_crm,
        twice_in_the_crm_with_two_times,
        throttled_in_the_crm,
        stranger_in_the_crm,
        given_up_though_taken,
        stranger_admitted,
        stranger_throttled,
        stranger_routed,
        malformed_in_silence,
        good_frame_refused,
    ],
)
def test_finds_every_kind_of_mistake(spoil: Callable[[World], None]) -> None:
    world = World()
    spoil(world)

    assert world.verdict().mismatches


def test_counts_what_has_no_fate_and_what_was_overtaken() -> None:
    world = World()
    lost(world)
    del world.guests.routed.events["0:1"]
    overtaken(world)

    verdict = world.verdict()

    assert (verdict.unaccounted, verdict.overtaken) == (2, 1)


def test_repeated_calls_are_told_and_are_no_mistake() -> None:
    world = World()
    verdict = judge(world.guests, replace(Ledgers(SAID, world.keys, world.contacts, repeats=0), repeats=3))

    assert (verdict.repeats, verdict.mismatches) == (3, ())


def test_a_frame_written_to_two_sockets_may_be_two_dead_letters() -> None:
    world = World()
    world.guests.said = {**world.guests.said, "written_again": 1}
    good_frame_refused(world)

    assert not world.verdict().mismatches


def test_what_the_crm_refuses_for_good_is_accounted_for() -> None:
    world = World()
    contact = world.contacts.pop()
    event = next(said["event_id"] for said in SAID if said["text"] == contact["last_message"])
    world.dead("crm", b"admitted:0:50", event)

    assert not world.verdict().mismatches
