"""Every state, event, latch, lease, contact and claim together, one tick each: nothing is left to chance.

What is walked is the real ``decide``; the graph of states that comes out is then searched for ways that must not be.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import cache

import pytest

from cryodevice.safety.phases import COOLING, ENDED, TREATING, SessionState
from cryodevice.treatment.core import Connected, Disconnected, Missed, Reset, Stop
from cryodevice.treatment.proof import Proof, Stage
from cryodevice.treatment.session import ALLOWED, Session
from cryodevice.wire.codes import Flag
from tests.treatment.ideal_wand import ONE, PRESENT, TOKEN, Bench
from tests.treatment.test_controller import SKIN_STOP

pytestmark = pytest.mark.xdist_group("exhaustive")  # one worker: the walk is costly and shared
S = SessionState
WAND = {"plate_a_degc": 8.0, "plate_b_degc": 8.1}
Event = Callable[[Bench], object]


def sees(**changes: object) -> Event:
    return lambda bench: bench.tick(**changes)


def hand(*flags: Flag) -> Event:
    def happens(bench: Bench) -> object:
        for flag in flags:
            bench.flags ^= flag
        return bench.tick()

    return happens


def line(*news: object) -> Event:
    def happens(bench: Bench) -> object:
        bench.pass_s()
        return bench.decide(*(Missed(bench.order, "no reply") if one is Missed else one for one in news))

    return happens


def silence(seconds: float) -> Event:
    def happens(bench: Bench) -> object:
        bench.pass_s(seconds)
        return bench.decide()

    return happens


EVENTS: dict[str, Event] = {
    "a good reply": sees(),
    "start": lambda bench: bench.tick(commands=[bench.start(session_id="s2")]),
    "stop": lambda bench: bench.tick(commands=[Stop("x")]),
    "stop at the end of the daemon": lambda bench: bench.tick(commands=[Stop("x", own=True)]),
    "reset": lambda bench: bench.tick(commands=[Reset("x")]),
    "reset by service": lambda bench: bench.tick(commands=[Reset("x", service=True)]),
    "start, stop": lambda bench: bench.tick(commands=[bench.start(session_id="s2"), Stop("x")]),
    "contact changes": hand(Flag.CONTACT),
    "trigger changes": hand(Flag.TRIGGER),
    "contact and trigger change": hand(Flag.CONTACT, Flag.TRIGGER),
    "e-stop": hand(Flag.ESTOP),
    "tip": hand(Flag.TIP),
    "the wand trips": hand(Flag.TRIP_LATCHED),
    "plate too cold": sees(plate_a_degc=1.0, plate_b_degc=1.0),
    "plate too warm": sees(plate_a_degc=41.0, plate_b_degc=41.0),
    "plate unknown": sees(plate_a_degc=None, plate_b_degc=None),
    "skin too cold": sees(skin_ir_degc=1.0),
    "another boot": sees(boot_id=9),
    "another token": sees(token=0x7777),
    "another master": lambda bench: (setattr(bench, "epoch", bench.epoch + 3), bench.tick())[1],
    "a lost reply": line(Missed),
    "silence": silence(0.4),
    "half a minute of silence": silence(30.0),
    "the line is gone": line(Disconnected("gone")),
    "another wand": line(Disconnected("gone"), Connected(replace(PRESENT, boot_id=9), TOKEN)),
    "the ledger fails": lambda bench: bench.tick_with(store_failure="disk full"),
    "the dose is unknown": lambda bench: bench.tick_with(dose_known=False),
    "late by five periods": lambda bench: bench.tick_with(late_periods=5.0),
    "three overruns": lambda bench: bench.tick_with(overruns=3),
}


class Walker(Bench):
    """The bench, with inputs that are not of the line."""

    def tick_with(self, **inputs: object) -> object:
        self.pass_s()
        self.accept(self.order)
        return self.decide(self.answer(self.order), **inputs)


@cache
def claimed_bench() -> Walker:
    bench = Walker(wand=dict(WAND))
    bench.claim()
    return bench


def put(state: SessionState, *, latched: bool, lease: bool, contact: bool, claimed: bool, proof: Stage) -> Walker:
    """A bench in this state, whether it can be reached like that or not."""
    bench = copy(claimed_bench())
    bench.wand, bench.events, bench.uptimes = dict(WAND), [], dict(bench.uptimes)
    bench.flags = bench.flags | Flag.CONTACT if contact else bench.flags & ~Flag.CONTACT
    session = Session(state, "s", ONE, proof=Proof(proof), resume=S.APPLYING)
    lockout = SKIN_STOP if latched or state is S.LOCKED else None
    link = replace(bench.core.link, claimed=claimed)
    bench.core = replace(
        bench.core,
        session=replace(session, state=S.LOCKED) if lockout is not None else session,
        lockout=lockout,
        link=link,
        leased=lease and state in COOLING,
    )
    bench.lease_ends_ms = bench.uptime_ms + 400 if lease else None
    return bench


CASES = tuple(
    itertools.product(S, (False, True), (False, True), (False, True), (False, True), (Stage.ARM, Stage.PASSED))
)


def walked(event: str) -> dict[SessionState, set[SessionState]]:
    """Every case with this event; what must hold of each is asserted on the way, and the ways found are returned."""
    ways: dict[SessionState, set[SessionState]] = defaultdict(set)
    for state, latched, lease, contact, claimed, proof in CASES:
        bench = put(state, latched=latched, lease=lease, contact=contact, claimed=claimed, proof=proof)
        before = bench.core
        EVENTS[event](bench)
        core, order, here = bench.core, bench.order, f"{event} in {CASES}"
        ways[before.session.state].add(core.session.state)
        if order is not None and order.lease_ms:
            assert core.verdict.permit, here
            assert core.link.claimed, here
            assert core.lockout is None, here
            assert core.session.state in COOLING or core.session.state is S.READY, here
        if "stop" in event:
            assert core.session.state not in TREATING, here
            assert order is None or order.is_stop, here
        if before.lockout is not None and not event.startswith("reset"):
            assert core.lockout is not None, here
            assert core.session.state is S.LOCKED, here
        if core.session.state is not before.session.state:
            middle = {
                core.session.state,
                *(S(e.evidence["after"]) for e in bench.events[-9:] if e.kind == "session_state"),
            }
            assert core.session.state in ALLOWED[before.session.state] or any(
                step in ALLOWED[before.session.state] and core.session.state in ALLOWED[step] for step in (*middle, *S)
            ), here
    return ways


@pytest.fixture(scope="module")
def every() -> dict[str, dict[SessionState, set[SessionState]]]:
    return {event: walked(event) for event in EVENTS}


def test_every_state_met_every_event(every):
    assert set(every) == set(EVENTS)
    assert all(set(ways) == set(S) for ways in every.values())
    assert len(CASES) * len(EVENTS) == 11 * 32 * len(EVENTS)


def test_cooling_begins_in_ready_only_and_with_a_start_only(every):
    for event, ways in every.items():
        for state in {*ENDED, S.LOCKED, S.SCREENING}:
            assert not ways[state] & COOLING, (event, state)
        for state in S:
            if S.READY in ways[state] - {state}:
                assert event == "start", (event, state)


@pytest.mark.req("R-H29-1")
def test_a_lockout_is_left_by_a_reset_only_and_to_idle(every):
    for event, ways in every.items():
        assert ways[S.LOCKED] <= {S.LOCKED, S.IDLE}, event
        if S.IDLE in ways[S.LOCKED]:
            assert event.startswith("reset"), event


@pytest.mark.req("R-H04-5")
def test_stop_is_one_step_from_everywhere(every):
    for event in ("stop", "stop at the end of the daemon", "start, stop"):
        for state in TREATING:
            assert every[event][state] <= {S.STOPPED, S.LOCKED}, (event, state)


def test_no_way_leads_to_cooling_past_ready(every):
    """Out of any state in which nothing runs, cooling is reached only through ready."""
    reached = set(ENDED) | {S.LOCKED}
    while True:
        further = {
            after for ways in every.values() for state in reached for after in ways[state] if after is not S.READY
        }
        if further <= reached:
            break
        reached |= further
    assert not reached & TREATING
