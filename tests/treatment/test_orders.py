"""What is asked of the wand, with every guard of a lease taken away one at a time."""

from dataclasses import replace

import pytest

from cryodevice.quantities import Seconds
from cryodevice.safety.phases import COOLING, SessionState
from cryodevice.safety.verdict import Clear, Lockout, Verdict
from cryodevice.treatment import orders
from cryodevice.treatment.core import Config, Core, Resetting
from cryodevice.treatment.orders import Ask, wanted
from cryodevice.treatment.proof import Proof, Stage
from cryodevice.treatment.session import Session
from cryodevice.wire.codes import Flag, Mode
from tests.treatment.ideal_wand import ONE, Bench

S = SessionState
PERMIT, NONE = Verdict(True, ()), Verdict(False, ())
LOCKOUT = Lockout("estop", Clear.ACKNOWLEDGE, 0.0, 1.0, 1.0, "", "")


@pytest.fixture(scope="module")
def claimed() -> Core:
    bench = Bench()
    bench.claim()
    return bench.core


def asked(core: Core, state: SessionState, *, config: Config | None = None, judged=None, stage=Stage.PASSED, **changes):
    core = replace(core, session=Session(state, "s", ONE, proof=Proof(stage)), **{"verdict": PERMIT, **changes})
    default = Config(core.limits, allow_simulated=True)
    return wanted(core, {state} if judged is None else judged, config or default)


@pytest.mark.parametrize("state", SessionState)
def test_only_the_cooling_states_get_a_lease_for_cooling(claimed, state):
    assert asked(claimed, state) is (Ask.COOL if state in COOLING else Ask.STOP)


@pytest.mark.parametrize("state", sorted(COOLING))
@pytest.mark.parametrize(
    ("changes", "ask"),
    [
        ({"verdict": NONE}, Ask.STOP),
        ({"lockout": LOCKOUT}, Ask.STOP),
        ({"judged": set()}, Ask.STOP),
        ({"judged": {S.PAUSED, S.READY}}, Ask.STOP),
        ({"link_why": "gone"}, Ask.READ),
        ({"reading": None}, Ask.READ),
    ],
)
def test_every_guard_takes_the_lease_away(claimed, state, changes, ask):
    assert asked(claimed, state, **changes) is ask


@pytest.mark.parametrize("state", SessionState)
@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("change", ["rejected", "nobody", "unclaimed", "monitor_only", "simulated"])
def test_a_wand_that_is_not_ours_or_may_not_be_driven_gets_no_lease(claimed, state, stage, change):
    link, config = claimed.link, Config(claimed.limits, allow_simulated=True)
    if change == "rejected":
        link = replace(link, rejected="a jet")
    elif change == "nobody":
        link = replace(link, identity=None)
    elif change == "unclaimed":
        link = replace(link, claimed=False)
    else:
        config = Config(claimed.limits, change == "monitor_only", monitor_only=change == "monitor_only")
    ask = asked(claimed, state, config=config, stage=stage, link=link)
    assert ask is (Ask.STOP if change == "unclaimed" else Ask.READ)


@pytest.mark.parametrize(
    ("stage", "changes", "ask"),
    [
        (Stage.ARM, {}, Ask.ARM),
        (Stage.ARM, {"verdict": NONE}, Ask.STOP),
        (Stage.ARM, {"lockout": LOCKOUT}, Ask.STOP),
        (Stage.ARM, {"unproven": "late"}, Ask.STOP),
        (Stage.WATCH, {}, Ask.READ),
        (Stage.WATCH, {"verdict": NONE}, Ask.READ),
        (Stage.PASSED, {}, Ask.STOP),
        (Stage.FAILED, {}, Ask.STOP),
    ],
)
def test_the_proof_is_armed_under_a_permit_and_then_only_read(claimed, stage, changes, ask):
    assert asked(claimed, S.READY, stage=stage, **changes) is ask


def test_no_proof_is_armed_over_an_order_of_unknown_fate(claimed):
    assert asked(claimed, S.READY, stage=Stage.ARM, link=replace(claimed.link, unanswered=1)) is Ask.STOP


def test_a_reset_goes_out_only_when_asked_for_and_while_the_trip_shows(claimed):
    reading = claimed.reading
    status = replace(reading.status, flags=reading.status.flags | Flag.TRIP_LATCHED)
    tripped = replace(claimed, reading=replace(reading, status=status), lockout=LOCKOUT)
    for stage in Resetting:
        assert asked(tripped, S.LOCKED, resetting=stage) is (Ask.RESET if stage is Resetting.ASKED else Ask.STOP)
    assert asked(claimed, S.LOCKED, lockout=LOCKOUT, resetting=Resetting.ASKED) is Ask.STOP


@pytest.mark.req("R-H01-1")
@pytest.mark.parametrize(("floor", "setpoint"), [(5.0, 8.0), (9.5, 9.5)])
@pytest.mark.parametrize(("longest", "lease"), [(1000, 500), (300, 300)])
def test_no_order_is_colder_than_the_floor_or_longer_than_the_wand_takes(claimed, floor, setpoint, longest, lease):
    link = replace(claimed.link, identity=replace(claimed.link.identity, lease_max_ms=longest))
    limits = replace(claimed.limits, plate_floor_degc=floor)
    core = replace(claimed, link=link, limits=limits, session=Session(S.LIFTED, "s", ONE))
    core, order = orders.built(core, Ask.COOL, Config(limits))
    assert (order.mode, order.setpoint_degc, order.lease_ms) == (Mode.COOL, setpoint, lease)
    assert (core.leased, core.coldest_plate_degc) == (True, setpoint)
    core, order = orders.built(core, Ask.STOP, Config(limits))
    assert (order.is_stop, core.leased, core.coldest_plate_degc) == (True, False, setpoint)
    assert orders.built(core, Ask.READ, Config(limits))[1] is None


@pytest.mark.parametrize("touching", [False, True])
def test_a_state_entered_after_the_judgement_is_cooled_in_one_tick_later(touching):
    bench = Bench(wand={"plate_a_degc": 8.0, "plate_b_degc": 8.0})
    bench.to(S.PAUSED, resume=S.LIFTED)
    bench.flags |= Flag.CONTACT if touching else Flag(0)
    bench.tick()
    assert bench.core.session.state is (S.APPLYING if touching else S.PRECOOL)
    assert bench.order.is_stop, "judged as paused and lifted, not as what it has become"
    bench.tick()
    assert bench.core.leased
    assert bench.core.now_s == Seconds(bench.now)
