"""Whole stories in virtual time: people, resets, reconnects, and the invariants no order of events may break."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryodevice.quantities import Seconds
from cryodevice.safety.events import EventKind
from cryodevice.safety.exposure import Dose
from cryodevice.safety.limits import RETREAT_S, Zone, limits
from cryodevice.safety.phases import COOLING, ENDED, TREATING, SessionState
from cryodevice.safety.verdict import Action, Clear, Lockout
from cryodevice.treatment.controller import decide
from cryodevice.treatment.core import Config, Disconnected, Inputs, Missed, Reset, Resetting, Start, Stop
from cryodevice.treatment.program import Step, Treatment
from cryodevice.treatment.proof import Stage
from cryodevice.wire.codes import Capability, Mode
from firmware_sim.simulator import Simulator
from tests.system.rig import DEMO, Rig

S = SessionState


def tripped_by_estop() -> Rig:
    rig = Rig()
    rig.to_applying()
    rig.sim.plant.estop = True
    rig.run(0.5)
    assert rig.core.lockout.cause == "estop"
    return rig


# -- start -------------------------------------------------------------------------------------------------------------


def refused(rig: Rig, treatment: Treatment = DEMO) -> str:
    rig.command(Start("again", treatment, "tester"))
    assert rig.core.session.session_id != "again", rig.story()
    return rig.last(EventKind.SESSION_REFUSED).message


def test_a_start_is_refused_with_every_reason_at_once():
    rig = Rig()
    assert "the wand is not ready: not connected yet" in refused(rig)
    rig.to_applying()
    assert "a session is applying" in refused(rig)
    assert "plate_degc" in refused(rig, Treatment("t", (Step(Zone.NOSE, 2.0, 5.0, 0.0),)))
    locked = tripped_by_estop()
    message = refused(locked)
    assert "locked by estop" in message
    assert "release the e-stop" in message


def test_a_start_before_our_token_is_in_force_is_refused():
    rig = Rig(allow_simulated=False)
    rig.run(1.0)
    message = refused(rig)
    assert "it has not taken our session yet" in message
    assert "simulated: this is a simulated wand" in message
    assert rig.sim.truth()["orders_accepted"] == 0, "a wand that may not be driven is only read"


def test_at_a_rate_too_low_for_cooling_the_wand_is_only_read():
    rig = Rig()
    rig.config = replace(rig.config, monitor_only=True)
    rig.run(2.0)
    assert not rig.core.link.claimed
    assert rig.sim.truth()["orders_accepted"] == 0


def test_each_client_has_a_dose_of_its_own_and_none_is_lost():
    rig = Rig()
    rig.to_applying(5.0)
    rig.stop()
    rig.sim.plant.contact = False
    rig.run(60.0)
    had = rig.core.dose.day_contact_s
    assert had >= 5.0
    assert "retreat_time" in refused(rig)
    rig.until(lambda: rig.core.verdict.permit, 180.0)
    rig.command(Start("s-2", replace(DEMO, client="anna"), "tester"))
    assert rig.core.session.state is S.READY, rig.story()
    assert (rig.core.dose.client, rig.core.dose.day_contact_s) == ("anna", 0.0)
    rig.stop()
    rig.run(0.2)
    assert "retreat_time" in refused(rig), "nobody's dose is forgotten while another client is treated"
    assert rig.core.others["anonymous"][0].contact_s == had


# -- stop --------------------------------------------------------------------------------------------------------------


@pytest.mark.req("R-H04-5")
def test_stop_means_stop_in_every_state():
    for prepare in (Rig.start, Rig.to_lifted, Rig.to_applying):
        rig = Rig()
        prepare(rig)
        before = rig.now
        rig.stop()
        assert (rig.core.session.state, rig.core.session.ended_why) == (S.STOPPED, "stopped by tester")
        assert not rig.driving
        assert rig.now == before, "it did not wait for the tick"
    rig.stop()
    assert rig.core.session.ended_why == "stopped by tester"


# -- reset -------------------------------------------------------------------------------------------------------------


def test_a_reset_clears_a_lockout_and_the_wands_trip_once_the_cause_is_gone():
    rig = tripped_by_estop()
    rig.reset()
    assert rig.last(EventKind.RESET_REFUSED).message.startswith("the cause is still present: estop")
    rig.sim.plant.estop = False
    rig.run(0.2)
    assert rig.core.session.state is S.LOCKED, "a lockout never leaves by itself"
    rig.reset()
    rig.run(0.3)
    assert rig.kinds().count(EventKind.RESET_SENT) == 1, "the daemon sends it once"
    assert rig.core.lockout is None
    assert rig.core.session.state is S.IDLE
    assert rig.sim.truth()["trip"] == "none"
    assert not rig.driving
    rig.sim.plant.contact = False
    rig.run(RETREAT_S + 5.0)
    rig.start()
    rig.until_state(S.LIFTED, 40.0)


def test_a_reset_asked_for_twice_is_sent_once():
    rig = tripped_by_estop()
    rig.sim.plant.estop = False
    rig.run(0.2)
    rig.reset()
    rig.reset()
    rig.run(0.3)
    assert rig.kinds().count(EventKind.RESET_SENT) == 1
    assert rig.core.lockout is None


def test_a_wand_connected_again_is_not_blamed_for_a_token_before_it_is_claimed():
    rig = Rig()
    rig.to_applying()
    rig.line_up = False
    rig.run(1.0)
    rig.line_up, rig.identified, rig.token = True, False, 0x4321
    count = len(rig.events)
    rig.run(2.0)
    assert rig.core.link.claimed
    assert "token" not in [event.evidence.get("interlock") for event in rig.events[count:]]


def test_a_lockout_without_a_trip_of_the_wand_clears_at_once():
    rig = Rig()
    rig.to_applying()
    rig.sim.plant.disturbances.sink_offset_k = 24.0
    rig.run(2.0)
    assert rig.core.lockout.cause == "sink_trip"
    rig.sim.plant.disturbances.sink_offset_k = 0.0
    rig.run(0.2)
    rig.reset()
    assert rig.core.lockout is None
    rig.reset()
    assert rig.last(EventKind.RESET_REFUSED).message == "nothing is locked"


def test_a_lockout_only_service_clears_is_cleared_by_service_only():
    rig = Rig(dose_known=False)
    rig.run(1.0)
    assert rig.core.lockout.clear is Clear.SERVICE
    rig.reset()
    assert "service" in rig.last(EventKind.RESET_REFUSED).message
    rig.reset(service=True)
    assert "the cause is still present: dose_unknown" in rig.last(EventKind.RESET_REFUSED).message
    rig.dose_known = True
    rig.tick()
    rig.reset(service=True)
    assert rig.core.lockout is None


def test_the_first_cause_is_kept():
    rig = tripped_by_estop()
    rig.sim.plant.disturbances.plate_b_offset_k = 9.0
    rig.run(2.0)
    assert rig.core.lockout.cause == "estop"


def test_a_reset_needs_a_wand_that_answers():
    rig = tripped_by_estop()
    rig.sim.plant.estop = False
    rig.line_up = False
    rig.run(0.5)
    rig.reset()
    assert "the wand cannot be reached" in rig.last(EventKind.RESET_REFUSED).message


def test_a_reset_that_is_lost_on_the_line_is_said_to_be():
    rig = tripped_by_estop()
    rig.sim.plant.estop = False
    rig.run(0.2)
    rig.reset()
    assert rig.order.reset_key
    rig.line_up = False
    rig.tick()
    rig.line_up = True
    assert "the reset was not answered" in rig.last(EventKind.RESET_REFUSED).message
    rig.run(0.2)
    assert rig.core.lockout is not None
    rig.reset()
    rig.run(0.2)
    assert rig.core.lockout is None


def test_a_wand_that_refuses_its_reset_stays_locked():
    rig = tripped_by_estop()
    rig.sim.plant.estop = False
    rig.run(0.2)
    rig.reset()
    rig.sim.plant.disturbances.sink_lost = True
    rig.sim.advance(0.5)
    rig.tick()
    assert "its cause is still present" in rig.last(EventKind.RESET_REFUSED).message
    assert rig.core.lockout is not None


def test_a_wand_that_takes_the_reset_and_stays_tripped_is_named():
    rig = tripped_by_estop()
    rig.sim.plant.estop = False
    rig.run(0.2)
    rig.reset()
    rig.tick()
    assert rig.core.resetting is Resetting.TAKEN
    rig.sim.plant.estop = True
    rig.sim.advance(0.04)
    rig.tick()
    assert "still tripped" in rig.last(EventKind.RESET_REFUSED).message
    assert rig.core.lockout is not None


# -- the line ----------------------------------------------------------------------------------------------------------


@pytest.mark.req("R-H29-1")
@pytest.mark.req("L09")
def test_after_a_reconnect_nothing_resumes():
    rig = Rig()
    rig.to_applying()
    rig.commands = []
    decision = decide(rig.core, Inputs(rig.now, (Disconnected("unplugged"),)), rig.config)
    assert decision.core.session.state is S.STOPPED
    assert decision.core.session.ended_why == "link_lost"
    assert not decision.core.leased
    rig.core, rig.order, rig.identified = decision.core, decision.order, False
    rig.run(5.0)
    assert rig.core.session.state in {S.STOPPED, S.LOCKED}
    assert not rig.driving
    assert [e.kind for e in decision.events].count(EventKind.LINK_DOWN) == 1
    again = decide(decision.core, Inputs(Seconds(rig.now + 9.0), (Disconnected("unplugged"),)), rig.config)
    assert EventKind.LINK_DOWN not in [e.kind for e in again.events], "said once for each reason"


def test_a_wand_that_restarts_is_identified_anew():
    rig = Rig()
    rig.run(1.0)
    rig.sim.reboot()
    rig.tick()
    assert rig.identified is False or rig.core.link.identity is not None
    rig.run(1.0)
    assert rig.core.link.identity.boot_id == rig.sim.truth()["boot_id"]
    assert rig.core.link.claimed


def test_a_wand_of_another_wire_version_is_named_and_never_ordered():
    rig = Rig()
    rig.sim.firmware.quirks.wire_version = 0x0200
    rig.run(1.0)
    assert rig.core.verdict.strongest.id == "identity"
    assert "wire version" in rig.core.link_why
    assert rig.order is None


def test_a_wand_whose_limits_do_not_meet_ours_is_only_monitored():
    rig = Rig(settings={"plate_floor_degc": 15.0, "plate_warn_degc": 30.0, "plate_ceiling_degc": 31.0})
    rig.sim.firmware.quirks.setpoint_min_degc = 38.0
    rig.run(1.0)
    assert "leave nothing between them" in rig.core.link.rejected
    assert rig.sim.truth()["orders_accepted"] == 0
    assert EventKind.WAND_MONITORED_ONLY in rig.kinds()


@pytest.mark.req("R-H15-1")
@pytest.mark.parametrize(("quirk", "says"), [({"magic": 0x1234}, "magic"), ({"applicator": 1}, "monitored")])
def test_what_is_no_plate_wand_is_not_driven(quirk, says):
    rig = Rig()
    for name, value in quirk.items():
        setattr(rig.sim.firmware.quirks, name, value)
    rig.run(1.0)
    assert says in (rig.core.link.rejected or rig.core.link_why)
    assert rig.sim.truth()["orders_accepted"] == 0


def test_another_masters_lease_is_waited_for():
    rig = Rig()
    other = Rig()
    other.to_applying()
    rig.sim, rig.slave = other.sim, other.slave
    rig.run(0.3)
    assert not rig.core.link.claimed
    rig.run(1.0)
    assert rig.core.link.claimed, "the other's lease has ended by itself"


def test_a_wand_without_infra_red_starts_from_the_lowest_baseline():
    rig = Rig()
    rig.sim = Simulator(1, capabilities=Capability(0xFF) & ~Capability.SKIN_IR)
    rig.slave = type(rig.slave)(rig.sim.firmware)
    rig.start()
    rig.until_state(S.PRECOOL, 3.0)
    assert rig.core.estimate.skin_degc(Zone.LEFT_CHEEK) == pytest.approx(28.0, abs=0.1)


def test_an_arming_order_that_is_lost_does_not_start_the_proof():
    rig = Rig()
    rig.start()
    assert rig.order.lease_ms
    rig.line_up = False
    rig.tick()
    rig.line_up = True
    assert rig.core.session.proof.stage is Stage.ARM
    rig.until_state(S.PRECOOL, 3.0)


def test_time_that_goes_backwards_permits_nothing():
    rig = Rig()
    rig.to_applying()
    earlier = decide(rig.core, Inputs(Seconds(rig.now - 5.0)), rig.config)
    assert not earlier.permit
    assert not earlier.core.leased


def test_a_missed_status_read_while_locked_is_harmless():
    rig = tripped_by_estop()
    decision = decide(rig.core, Inputs(rig.now, (Missed(None, "no reply"),)), rig.config)
    assert decision.core.lockout == rig.core.lockout


@pytest.mark.req("R-H28-1")
def test_a_treatment_of_two_zones_charges_each_its_own():
    rig = Rig(treatment=Treatment("two", (Step(Zone.FOREHEAD, 12.0, 5.0, 1.0), Step(Zone.LEFT_CHEEK, 10.0, 6.0, 1.0))))
    rig.to_applying(0.1)
    rig.until_state(S.REWARMING, 10.0)
    rig.sim.plant.contact = False
    rig.sim.plant.zone = "left_cheek"
    rig.until(lambda: rig.core.session.step == 1, 10.0)
    rig.until_state(S.LIFTED, 40.0)
    rig.sim.plant.contact = True
    rig.until_state(S.REWARMING, 20.0)
    rig.sim.plant.contact = False
    rig.until_state(S.COMPLETE, 20.0)
    true = rig.sim.truth()["contact_s"]
    for zone, least in ((Zone.FOREHEAD, 5.0), (Zone.LEFT_CHEEK, 6.0)):
        assert rig.core.dose.of(zone).contact_s >= max(least, true[zone.value] - 0.1)


# -- the estimate against the truth it cannot see ----------------------------------------------------------------------


@pytest.mark.req("R-H01-5")
@pytest.mark.parametrize("seed", range(8))
def test_the_estimate_is_never_above_the_true_skin(seed):
    plate, conductance = (5.0, 6.0, 8.0, 12.0)[seed % 4], (300.0, 1300.0, 3000.0)[seed % 3]
    zone = tuple(Zone)[seed % len(Zone)]
    floor = {Zone.NOSE: 8.0, Zone.NECK: 8.0, Zone.PERIORBITAL: 10.0, Zone.OTHER: 10.0}.get(zone, 5.0)
    rig = Rig(seed=seed, treatment=Treatment("t", (Step(zone, max(plate, floor), 9.0, 20.0),)))
    rig.sim.plant.conductance_w_m2k = conductance
    rig.to_lifted()
    while rig.core.session.state in TREATING and rig.now < 90.0:
        rig.tick()
        if rig.core.session.state is S.REWARMING:
            rig.sim.plant.contact = False
        if rig.core.session.state is S.APPLYING and seed % 2 and 3.0 < rig.core.session.contact_s < 3.2:
            rig.sim.plant.contact = False
        elif rig.core.session.state is S.LIFTED:
            rig.sim.plant.contact = True
        assert rig.core.estimate.skin_degc(zone) <= rig.true_skin_degc, rig.story()


# -- whatever happens --------------------------------------------------------------------------------------------------
def toggled(part: object, name: str) -> None:
    setattr(part, name, not getattr(part, name))


def offset(part: object, name: str, value: float) -> None:
    setattr(part, name, value if getattr(part, name) == 0.0 else 0.0)


ACTS = {
    "tick": lambda rig: rig.run(0.5),
    "wait": lambda rig: rig.run(3.0),
    "late": lambda rig: rig.tick(late_s=0.17),
    "contact": lambda rig: toggled(rig.sim.plant, "contact"),
    "trigger": lambda rig: toggled(rig.sim.plant, "trigger"),
    "estop": lambda rig: toggled(rig.sim.plant, "estop"),
    "tip": lambda rig: toggled(rig.sim.plant, "tip"),
    "lose": lambda rig: toggled(rig.sim.firmware.quirks, "drop_replies"),
    "start": lambda rig: rig.command(Start(f"s{rig.decisions}", rig.treatment, "tester")),
    "stop": lambda rig: rig.command(Stop("tester")),
    "reset": lambda rig: rig.command(Reset("tester")),
    "service": lambda rig: rig.command(Reset("tester", service=True)),
    "reboot": lambda rig: rig.sim.reboot(),
    "offset": lambda rig: offset(rig.sim.plant.disturbances, "plate_a_offset_k", -9.0),
    "ir": lambda rig: offset(rig.sim.plant.disturbances, "skin_ir_offset_k", -31.0),
    "fan": lambda rig: toggled(rig.sim.plant.disturbances, "fan_stalled"),
    "hang": lambda rig: toggled(rig.sim.firmware.quirks, "hang_safety_task"),
    "unplug": lambda rig: setattr(rig, "identified", False),
    "store": lambda rig: toggled(rig, "store_writes"),
}
LIKELY = [*ACTS, *["tick"] * 8, *["contact"] * 3]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(acts=st.lists(st.sampled_from(LIKELY), min_size=5, max_size=40), seed=st.integers(0, 5))
def test_no_order_of_events_gives_a_lease_without_a_permit(acts, seed):
    rig = Rig(seed=seed, treatment=Treatment("t", (Step(Zone.LEFT_CHEEK, 15.0, 6.0, 1.0, glide=True),)))
    rig.run(0.5)
    rig.sim.plant.trigger = True
    rig.command(Start("s", rig.treatment, "tester"))
    contact = below = 0.0
    for what in acts:
        locked_before = rig.core.lockout
        ACTS[what](rig)
        rig.tick()
        core = rig.core
        if core.leased:
            assert core.verdict.permit
            assert core.link.claimed
            assert core.lockout is None
            assert core.session.state in COOLING
            assert rig.order.mode is Mode.COOL
        elif rig.order is not None:
            assert rig.order.mode is Mode.OFF
        if locked_before is not None and core.lockout is None:
            assert what in {"reset", "service"} or EventKind.LOCKOUT_CLEARED in rig.kinds()
        if core.lockout is not None:
            assert core.session.state is S.LOCKED
        assert (core.session.state in ENDED | TREATING) or core.session.state is S.LOCKED
        assert core.dose.day_contact_s >= contact
        total = core.dose.day(Zone.LEFT_CHEEK)
        assert total.below_10_s >= below
        contact, below = core.dose.day_contact_s, total.below_10_s
        assert rig.sim.truth()["lowest_skin_degc"] >= 2.0


@pytest.mark.req("R-H29-1")
def test_a_lockout_of_before_stands_after_a_restart():
    rig = Rig()
    lockout = Lockout("skin_stop", Clear.ACKNOWLEDGE, 1.0, 2.0, float("inf"), "degC", "look at the skin")
    from cryodevice.treatment.core import initial  # noqa: PLC0415

    rig.core = initial(Config(limits(), allow_simulated=True), Seconds(0.0), rig.core.estimate, Dose(), lockout)
    rig.run(1.0)
    assert rig.core.session.state is S.LOCKED
    assert "locked by skin_stop" in refused(rig)
    rig.reset()
    assert rig.core.lockout is None
    assert max((f.action for f in rig.core.verdict.active), default=Action.WARN) is Action.WARN
