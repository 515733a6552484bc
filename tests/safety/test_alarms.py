"""The life of alarms: what is remembered, seen and heard of a condition, whatever people do meanwhile."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cryodevice.safety import alarms
from cryodevice.safety.alarm_table import UNLISTED, Priority
from cryodevice.safety.alarms import PAUSE_S, SHOWN_S, SOUNDS_AGAIN_S, Alarms, Cause

HIGH, MEDIUM, LOW = "skin_stop", "estop", "trigger"
NEVER = -math.inf


class Life:
    """Alarms over time."""

    def __init__(self, memory: Alarms | None = None) -> None:
        self.memory, self.now = memory or Alarms(), 0.0

    def see(self, *causes: str, after_s: float = 0.1, treating: bool = True, since_s: float = NEVER) -> list[str]:
        self.now += after_s
        named = {cause: Cause(since_s, "do this") for cause in causes}
        self.memory, changes = alarms.followed(self.memory, named, self.now, treating=treating)
        return [f"{change} {one.cause}" for change, one in changes]

    def acknowledge(self, which: str = "", **how: bool) -> list[str]:
        self.memory, changes = alarms.acknowledged(self.memory, self.now, which, **how)
        return [f"{change} {one.cause}" for change, one in changes]

    def pause(self) -> list[str]:
        self.memory, changes = alarms.audio_paused(self.memory, self.now)
        return [f"{change} {one.cause}" for change, one in changes]

    @property
    def heard(self) -> str:
        level = alarms.loudest(self.memory, self.now)
        return level.name if level is not None else ""

    @property
    def standing(self) -> list[str]:
        return [one.cause for one in self.memory.standing]


def test_nothing_wrong_costs_and_changes_nothing() -> None:
    memory = Alarms()
    after, changes = alarms.followed(memory, {}, 1.0, treating=True)
    assert after is memory
    assert changes == ()


@pytest.mark.req("R-H20-2")
def test_a_latched_alarm_goes_on_until_somebody_acknowledges_it() -> None:
    life = Life()
    assert life.see(HIGH) == [f"raised {HIGH}"]
    assert life.see(HIGH) == []
    assert life.see() == [f"condition_ended {HIGH}"]
    assert life.see(after_s=3600.0) == []
    assert life.heard == "HIGH"
    assert life.acknowledge() == [f"acknowledged {HIGH}", f"over {HIGH}"]
    assert (life.heard, life.standing) == ("", [])
    assert life.acknowledge() == []


def test_acknowledge_is_not_clear_and_a_high_condition_sounds_again() -> None:
    life = Life()
    life.see(HIGH)
    assert life.acknowledge() == [f"acknowledged {HIGH}"]
    assert (life.heard, life.standing) == ("", [HIGH])
    assert life.see(HIGH, after_s=PAUSE_S - 0.1) == []
    assert life.see(HIGH, after_s=0.2) == [f"resumed {HIGH}"]
    assert life.heard == "HIGH"
    assert life.acknowledge() == [f"acknowledged {HIGH}"]
    assert life.heard == "HIGH", "it has only just come back"
    life.see(HIGH, after_s=SOUNDS_AGAIN_S)
    life.acknowledge()
    assert life.heard == ""
    assert life.see() == [f"condition_ended {HIGH}", f"over {HIGH}"]


def test_an_acknowledged_medium_stays_seen_and_quiet_while_it_lasts() -> None:
    life = Life()
    life.see(MEDIUM)
    life.acknowledge()
    life.see(MEDIUM, after_s=10 * PAUSE_S)
    assert (life.heard, life.standing) == ("", [MEDIUM])


def test_what_does_not_latch_ends_by_itself_and_is_seen_long_enough_before() -> None:
    life = Life()
    life.see("step_contact")
    assert life.see() == ["condition_ended step_contact"], "the limit ends its own session at once"
    assert (life.heard, life.standing) == ("MEDIUM", ["step_contact"])
    assert life.see(after_s=SHOWN_S) == ["over step_contact"]
    assert (life.heard, life.standing) == ("", [])


def test_a_condition_that_comes_back_is_a_new_occurrence_and_sounds_through_the_pause() -> None:
    life = Life()
    life.see(HIGH)
    life.pause()
    life.see()
    assert life.heard == ""
    assert life.see(HIGH) == [f"raised {HIGH}"]
    assert (life.heard, life.standing, life.memory.count) == ("HIGH", [HIGH], 2)


def test_a_new_alarm_sounds_during_a_pause_which_it_does_not_end() -> None:
    life = Life()
    life.see(HIGH)
    assert life.pause() == [f"paused {HIGH}"]
    assert (life.heard, alarms.pause_left_s(life.memory, life.now)) == ("", PAUSE_S)
    life.see(HIGH, LOW)
    assert life.heard == "LOW"
    assert life.pause() == [f"paused {LOW}"], "asking again makes the first no longer"
    assert life.see(HIGH, LOW, after_s=PAUSE_S) == [f"resumed {HIGH}", f"resumed {LOW}"]
    assert life.heard == "HIGH"
    assert life.pause() == []


def test_the_most_urgent_comes_first_then_the_earliest() -> None:
    life = Life()
    life.see(LOW)
    life.see(LOW, MEDIUM)
    life.see(LOW, MEDIUM, HIGH)
    life.see(LOW, MEDIUM, HIGH, "plate_under_floor")
    assert life.standing == [HIGH, "plate_under_floor", MEDIUM, LOW]


def test_one_that_is_acknowledged_alone_leaves_the_others() -> None:
    life = Life()
    life.see(HIGH, MEDIUM, "plate_under_floor")
    assert life.acknowledge("estop") == ["acknowledged estop"]
    assert life.acknowledge("plate_too_cold") == ["acknowledged plate_under_floor"]
    life.see(MEDIUM)
    assert life.acknowledge(past_only=True) == [f"acknowledged {HIGH}", f"over {HIGH}"]
    assert life.standing == [MEDIUM]


def test_a_session_makes_it_more_urgent_and_its_end_does_not_make_it_less() -> None:
    life = Life()
    life.see("link_lost", treating=False)
    assert life.heard == "MEDIUM"
    life.acknowledge()
    assert life.see("link_lost", treating=True) == ["raised link_lost"]
    assert life.heard == "HIGH"
    assert life.see("link_lost", treating=False) == []
    life.see(treating=False)
    assert life.heard == "HIGH", "it latched"


def test_idle_delays_are_waited_for_also_by_one_that_comes_back() -> None:
    life = Life()
    assert life.see("link_lost", treating=False, since_s=0.0) == []
    assert life.see("link_lost", treating=False, since_s=0.0, after_s=3.0) == ["raised link_lost"]
    assert life.see(treating=False) == ["condition_ended link_lost"]
    assert life.see("link_lost", treating=False, since_s=life.now) == []
    assert life.standing == ["link_lost"]
    assert life.see("link_lost", treating=False, since_s=life.now, after_s=2.9) == []
    assert life.see("link_lost", treating=False, since_s=life.now, after_s=2.5) == ["over link_lost"]


def test_a_cause_without_a_row_is_too_loud_and_not_silent() -> None:
    life = Life()
    life.see("nobody_knows_it")
    assert life.heard == "HIGH"
    assert life.memory.standing[0].alarm is UNLISTED


def test_time_that_goes_back_makes_nothing_longer() -> None:
    life = Life()
    life.see(HIGH, after_s=1000.0)
    life.pause()
    life.now = 0.0
    life.see(HIGH)
    assert life.memory.now_s == 1000.0
    assert life.memory.standing[0].silent_until_s == 1000.0 + PAUSE_S


def test_after_a_restart_what_latched_stands_again_and_sounds() -> None:
    before = Life()
    before.see(MEDIUM, HIGH)
    before.pause()
    life = Life(alarms.resumed(before.memory.standing, before.memory.count))
    assert (life.heard, life.standing) == ("HIGH", [HIGH, MEDIUM])
    assert life.see(HIGH) == [f"raised {HIGH}"], "present again: a new occurrence, counted on"
    assert life.memory.count == 3
    life.acknowledge()
    life.see()
    assert life.standing == []
    assert alarms.resumed((), 7).count == 7


CAUSES = [HIGH, MEDIUM, LOW, "plate_under_floor", "step_contact", "link_lost"]
STEP = st.tuples(
    st.sampled_from([0.05, 1.0, SOUNDS_AGAIN_S, 60.0, PAUSE_S]),
    st.sets(st.sampled_from(CAUSES), max_size=3),
    st.lists(st.sampled_from(["pause", "acknowledge", *CAUSES]), max_size=3),
    st.booleans(),
)


LIVES = st.lists(STEP, min_size=1, max_size=12)


@hypothesis_settings(max_examples=100, deadline=None)
@given(LIVES)
def test_what_comes_is_a_new_occurrence_and_a_high_one_sounds(steps) -> None:
    life = Life()
    for after_s, present, commands, treating in steps:
        before = {one.cause: one for one in life.memory.standing}
        changes = life.see(*sorted(present), after_s=after_s, treating=treating)
        standing = {one.cause: one for one in life.memory.standing}
        for cause in present:
            assert standing[cause].present, "what is wrong is shown"
            new = cause not in before or not before[cause].present or before[cause].priority < standing[cause].priority
            assert (f"raised {cause}" in changes) is new
            assert not new or standing[cause].sounding(life.now), "whatever pause there was"
        people(life, commands)
        if not life.memory.standing:
            assert life.heard == ""


@hypothesis_settings(max_examples=100, deadline=None)
@given(LIVES)
def test_acknowledge_clears_no_condition_and_no_pause_is_too_long_whatever_people_do(steps) -> None:
    life = Life()
    for after_s, present, commands, treating in steps:
        life.see(*sorted(present), after_s=after_s, treating=treating)
        people(life, commands)
        standing = {one.cause: one for one in life.memory.standing}
        assert present <= set(standing), "acknowledge is not clear"
        assert all(standing[cause].present for cause in present)
        for one in standing.values():
            assert one.silent_until_s <= life.now + PAUSE_S
            assert one.present or one.latched or life.now - one.seen_s < SHOWN_S, "else nothing stands, nor sounds"
            if one.priority is Priority.HIGH and not one.paused(life.now) and not one.acknowledged:
                assert life.heard == "HIGH"


def people(life: Life, commands) -> None:
    for command in commands:
        if command == "pause":
            life.pause()
        else:
            life.acknowledge("" if command == "acknowledge" else command)


@pytest.mark.req("R-H20-2")
@hypothesis_settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 200.0), st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_an_unacknowledged_or_present_high_alarm_is_silent_no_longer_than_a_pause(moments) -> None:
    """Looked at on the marks themselves: each silence is at most 120 s, and 5 s of sound lie before the next."""
    life, pauses = Life(), set()
    life.see(HIGH)
    for after_s, pause, acknowledge in moments:
        life.see(HIGH, after_s=after_s)
        if pause:
            life.pause()
        if acknowledge:
            life.acknowledge()
        pauses.add(life.memory.standing[0].silent_until_s)
    ends = sorted(end for end in pauses if math.isfinite(end))
    for end, later in itertools.pairwise(ends):
        assert later - PAUSE_S >= end + SOUNDS_AGAIN_S - 1e-9
