"""What one dead sensor, a short glitch or a quick restart could hide: each story failed before its rule was there."""

import math
from dataclasses import replace

import pytest

from cryodevice.quantities import Seconds
from cryodevice.safety import skin_estimate
from cryodevice.safety.events import EventKind
from cryodevice.safety.exposure import Dose, Past, ZoneExposure
from cryodevice.safety.limits import Zone, limits
from cryodevice.safety.phases import TREATING, SessionState
from cryodevice.treatment.core import Start
from cryodevice.treatment.program import Step, Treatment, objections
from cryodevice.treatment.proof import Stage
from cryodevice.wire.codes import Capability
from firmware_sim.faults import injection
from tests.system.rig import Rig
from tests.system.test_interlock_rows import foreign_stop

S = SessionState
CHEEK = Zone.LEFT_CHEEK


def dead_contact(**rig) -> Rig:
    """Plate cold, trigger held, contact sensor dead, and then on the skin."""
    made = Rig(**rig)
    made.sim.plant.disturbances.contact_dead = True
    made.to_lifted()
    made.sim.plant.contact = True
    return made


@pytest.mark.req("S13")
def test_a_dead_contact_sensor_hides_no_contact_from_a_wand_with_infra_red():
    rig = dead_contact()
    rig.run(30.0)
    assert rig.core.session.state is S.PAUSED
    assert rig.withdrawn_by() == "contact_contradicted"
    assert rig.sim.truth()["drive_off_at_s"] is not None
    assert not rig.driving
    true = rig.sim.truth()["contact_s"][CHEEK.value]
    assert true == pytest.approx(30.0, abs=0.1)
    assert rig.core.dose.of(CHEEK).contact_s >= true - 0.4, "all but the time infra-red takes to say it sees nothing"
    assert rig.core.estimate.skin_degc(CHEEK) <= rig.true_skin_degc
    rig.sim.plant.contact = False
    rig.until_state(S.LIFTED, 20.0)


def test_without_infra_red_a_plate_nobody_feels_is_held_for_a_minute_at_most():
    rig = Rig()
    rig.sim.firmware.quirks.capabilities = int(Capability(0xFF) & ~Capability.SKIN_IR)
    rig.sim.plant.disturbances.contact_dead = True
    rig.sim.plant.disturbances.skin_ir_lost = True
    rig.to_lifted()
    rig.sim.plant.contact = True
    lifted_at = rig.now
    rig.until_state(S.STOPPED, 62.0)
    assert rig.core.session.ended_why == "waited_too_long"
    assert rig.drive_off_at - lifted_at <= 60.0 + 0.25


@pytest.mark.parametrize("silent_ms", range(150, 700, 25))
def test_a_line_that_is_silent_for_a_moment_never_locks(silent_ms):
    rig = Rig(seed=silent_ms)
    rig.to_applying()
    end = rig.now + silent_ms / 1000.0
    rig.sim.firmware.quirks.drop_replies = True
    while rig.now < end:
        rig.tick()
    rig.sim.firmware.quirks.drop_replies = False
    rig.run(1.5)
    assert rig.core.lockout is None or rig.core.lockout.cause == "wand_tripped", rig.story()
    assert not rig.driving or rig.core.session.state is S.APPLYING


@pytest.mark.parametrize("replies", [1, 2])
@pytest.mark.parametrize("silent_ticks", [4, 5, 6])
def test_the_current_of_before_a_stop_is_not_taken_for_current_after_it(replies, silent_ticks):
    """The trigger is let go, the stop is answered, then the line is silent: that answer is all there is to judge."""
    rig = Rig()
    rig.to_applying(5.0)
    rig.sim.plant.trigger = False
    rig.until_state(S.PAUSED, 0.2)
    for _ in range(replies - 1):
        rig.tick()
    rig.sim.firmware.quirks.drop_replies = True
    for _ in range(silent_ticks):
        rig.tick()
    rig.sim.firmware.quirks.drop_replies = False
    rig.run(1.0)
    assert rig.core.lockout is None, rig.story()


def test_a_fan_that_stands_still_is_found_though_the_trigger_is_pulsed():
    rig = Rig()
    rig.start()
    rig.until_state(S.PRECOOL, 5.0)
    rig.until(lambda: rig.core.fan_still_s == 0.0 and rig.core.leased, 2.0)
    rig.sim.plant.disturbances.fan_stalled = True
    for _ in range(8):
        rig.sim.plant.trigger = True
        rig.run(1.0)
        rig.sim.plant.trigger = False
        rig.run(0.5)
    assert rig.core.lockout is not None, rig.story()
    assert rig.core.lockout.cause == "fan"


@pytest.mark.parametrize("pulses_s", [0.2, 0.5, 1.0])
def test_a_fan_that_turns_is_not_blamed_for_a_pulsed_trigger(pulses_s):
    rig = Rig()
    rig.start()
    rig.until_state(S.PRECOOL, 5.0)
    for _ in range(20):
        rig.sim.plant.trigger = True
        rig.run(pulses_s)
        rig.sim.plant.trigger = False
        rig.run(0.5)
    assert rig.core.lockout is None, rig.story()


def test_a_mere_pause_between_two_steps_on_one_zone_goes_on_with_the_contact():
    glide = Step(CHEEK, 12.0, 30.0, 5.0, glide=True)
    rig = Rig(settings={"step_contact_s": 60.0}, treatment=Treatment("t", (glide, glide)))
    rig.to_applying()
    rig.until_state(S.REWARMING, 40.0)
    touched = rig.core.session.touched_s
    rig.sim.plant.contact = False
    rig.until(lambda: rig.core.session.step == 1, 10.0)
    assert rig.core.session.touched_s >= touched >= 30.0


def test_steps_that_run_together_are_refused_by_their_sum():
    glide = Step(CHEEK, 8.0, 50.0, 29.9, glide=True)
    (why,) = objections(Treatment("t", (glide, glide)), limits())
    assert "steps 1 to 2 (left_cheek) are one contact of 100 s" in why
    still = Step(Zone.NECK, 8.0, 15.0, 9.9)
    (why,) = objections(Treatment("t", (still, Step(CHEEK, 8.0, 20.0, 0.0))), limits())
    assert "steps 1 to 2 rest on the skin for 35 s with lifts under 10 s between them" in why
    assert objections(Treatment("t", (replace(still, rewarm_s=10.0), Step(CHEEK, 8.0, 20.0, 0.0))), limits()) == []
    apart = Step(CHEEK, 8.0, 50.0, 30.0, glide=True)
    elsewhere = Step(Zone.FOREHEAD, 8.0, 50.0, 0.0, glide=True)
    assert objections(Treatment("t", (apart, glide, elsewhere, glide)), limits()) == []


@pytest.mark.req("R-H01-5")
@pytest.mark.parametrize("down_s", [0.0, 2.0, 15.0, 60.0, 300.0])
@pytest.mark.parametrize("plate_degc", [5.0, 12.0])
def test_after_a_restart_the_estimate_is_not_above_the_skin_that_was_just_cooled(plate_degc, down_s):
    rig = Rig(treatment=Treatment("t", (Step(CHEEK, plate_degc, 30.0, 60.0),)))
    rig.to_applying()
    rig.until_state(S.REWARMING, 40.0)
    ended = rig.now
    past = Past(ended, rig.core.dose.session)
    rig.sim.plant.contact = False
    rig.sim.advance(down_s)
    estimate = skin_estimate.resumed((past,), Seconds(ended + down_s))
    true = rig.sim.truth()["skin_surface_degc"]
    assert estimate.skin_degc(CHEEK) <= true
    assert estimate.at_s == ended + down_s
    assert estimate.skin_degc(CHEEK) >= true - 14.0, "bounded from below, but not absurdly"
    assert estimate.skin_degc(Zone.NECK) <= skin_estimate.START_UNSEEN_DEGC + 3.0


def test_what_ended_long_ago_or_never_was_starts_warm():
    assert skin_estimate.resumed((), Seconds(5.0)).skin_degc(CHEEK) == skin_estimate.START_DEGC
    rig = Rig()
    rig.to_applying(5.0)
    old = Past(-5000.0, rig.core.dose.session)
    assert skin_estimate.resumed((old,), Seconds(0.0)).skin_degc(CHEEK) == skin_estimate.START_UNSEEN_DEGC


# -- a wand that cannot confirm a lift ---------------------------------------------------------------------------------


def without_infra_red(**rig) -> Rig:
    made = Rig(**rig)
    made.sim.firmware.quirks.capabilities = int(Capability(0xFF) & ~Capability.SKIN_IR)
    made.sim.plant.disturbances.skin_ir_lost = True
    return made


def test_pulses_of_the_trigger_do_not_begin_the_minute_of_an_untouched_plate_anew():
    rig = without_infra_red(treatment=Treatment("t", (Step(CHEEK, 5.0, 20.0, 5.0),)))
    rig.sim.plant.disturbances.contact_dead = True
    rig.to_lifted()
    rig.sim.plant.contact = True
    began, driven = rig.now, 0.0
    while rig.core.session.state in TREATING and rig.now < began + 400.0:
        rig.sim.plant.trigger = (rig.now - began) % 20.0 >= 0.2
        rig.tick()
        driven += 0.05 if rig.driving else 0.0
    assert rig.core.session.state is S.STOPPED, rig.story()
    assert rig.core.session.ended_why in {"waited_too_long", "step_contact"} or "contact" in rig.core.session.ended_why
    assert driven <= 90.0
    assert rig.core.dose.of(CHEEK).contact_s >= 0.9 * driven, "what it cannot see it counts"
    assert rig.core.estimate.skin_degc(CHEEK) <= rig.true_skin_degc


def test_a_dead_contact_sensor_hides_no_contact_in_a_pause():
    rig = Rig()
    rig.sim.plant.disturbances.contact_dead = True
    rig.to_lifted()
    rig.sim.plant.trigger = False
    rig.until_state(S.PAUSED, 1.0)
    rig.sim.plant.contact = True
    rig.run(20.0)
    assert rig.core.dose.of(CHEEK).contact_s >= 19.0
    assert rig.core.estimate.skin_degc(CHEEK) <= rig.true_skin_degc


# -- a gap -------------------------------------------------------------------------------------------------------------


def test_a_cable_that_stays_out_does_not_use_up_the_day():
    rig = Rig()
    rig.to_applying(5.0)
    rig.line_up = False
    rig.run(400.0)
    assert 120.0 <= rig.core.dose.day_contact_s <= 135.0, "as long as the plate can stay cold, and no longer"


def test_a_wand_that_lay_warm_in_its_rest_has_touched_nobody_when_the_cable_comes_back():
    rig = Rig()
    rig.until(lambda: rig.core.link.claimed, 3.0)
    rig.sim.plant.contact = True
    rig.run(1.0)
    rig.line_up = False
    rig.run(600.0)
    assert rig.core.dose.day_contact_s == 0.0


@pytest.mark.req("R-H28-1")
def test_one_reading_without_contact_does_not_begin_the_next_zone():
    two = Treatment("t", (Step(CHEEK, 12.0, 5.0, 0.0), Step(Zone.RIGHT_CHEEK, 12.0, 5.0, 5.0)))
    rig = Rig(treatment=two)
    rig.to_applying()
    rig.until_state(S.REWARMING, 10.0)
    rig.sim.plant.contact = False
    rig.run(0.1)
    rig.sim.plant.contact = True
    rig.run(5.0)
    assert (rig.core.session.state, rig.core.session.step) == (S.REWARMING, 0)


def test_the_next_zone_is_not_held_for_the_cold_of_the_one_before():
    two = Treatment("t", (Step(CHEEK, 10.0, 20.0, 10.0), Step(Zone.RIGHT_CHEEK, 10.0, 20.0, 5.0)))
    rig = Rig(treatment=two)
    rig.to_applying()
    rig.until_state(S.REWARMING, 40.0)
    rig.sim.plant.contact = False
    rig.until_state(S.LIFTED, 30.0)
    assert rig.core.session.step == 1
    rig.sim.plant.zone = Zone.RIGHT_CHEEK.value
    rig.run(0.5)
    rig.sim.plant.contact = True
    rig.until_state(S.REWARMING, 25.0)
    rig.sim.plant.contact = False
    rig.until_state(S.COMPLETE, 20.0)


def test_a_zone_that_is_held_before_its_precool_begins_is_known_as_cold_as_it_is():
    """Its step begins and is paused in one tick; a plate still cold from the step before may then touch it."""
    two = Treatment("t", (Step(CHEEK, 10.0, 5.0, 3.0), Step(Zone.RIGHT_CHEEK, 10.0, 5.0, 5.0)))
    rig = Rig(treatment=two)
    rig.sim.plant.disturbances.skin_ir_offset_k = -3.0
    rig.to_applying()
    rig.until_state(S.REWARMING, 10.0)
    rig.sim.plant.contact, rig.sim.plant.trigger = False, False
    rig.sim.plant.zone = Zone.RIGHT_CHEEK.value
    rig.until(lambda: rig.core.session.step == 1, 60.0)
    assert rig.core.session.state is S.PAUSED
    seen = rig.core.reading.status.skin_ir_degc
    assert rig.core.estimate.skin_degc(Zone.RIGHT_CHEEK) <= seen - 1.0 + 1e-6


# -- what a person is told ---------------------------------------------------------------------------------------------


@pytest.mark.req("R-H02-6")
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"plate_a_open": True}, ("plate sensor", "plate a open")),
        ({"sink_lost": True}, ("sink sensor",)),
        ({"plate_b_offset_k": 4.0}, ("channels apart",)),
        ({"sink_offset_k": 40.0}, ("sink hot",)),
    ],
)
def test_a_trip_of_the_wand_is_locked_with_its_own_cause(fault, says):
    rig = Rig()
    rig.to_applying(3.0)
    for name, value in fault.items():
        setattr(rig.sim.plant.disturbances, name, value)
    rig.run(1.5)
    told = rig.core.lockout.hint if rig.core.lockout.cause == "wand_tripped" else rig.core.lockout.cause
    if rig.core.lockout.cause == "wand_tripped":
        assert rig.core.lockout.value == rig.sim.truth()["trip_code"] > 0
        for word in says:
            assert word in told


def test_a_start_on_a_day_that_is_used_up_is_refused_at_once_and_says_so():
    rig = Rig(treatment=Treatment("two", (Step(CHEEK, 12.0, 5.0, 30.0), Step(Zone.NOSE, 12.0, 5.0, 5.0))))
    rig.until(lambda: rig.core.link.claimed, 3.0)
    rig.run(0.2)
    rig.core = replace(rig.core, dose=Dose(past=(Past(0.0, {Zone.NECK: ZoneExposure(contact_s=1201.0)}),)))
    rig.command(Start("s-1", rig.treatment, "tester"))
    assert rig.last(EventKind.SESSION_REFUSED).message == "day_contact: this day's contact time is used up"
    assert rig.core.session.state is S.IDLE


def test_a_foreign_stop_during_the_proof_does_not_condemn_the_wand():
    rig = Rig()
    rig.start()
    rig.until(lambda: rig.core.session.proof.stage is Stage.WATCH, 2.0)
    rig.run(0.1)
    foreign_stop(rig)
    rig.run(0.5)
    assert rig.core.lockout.cause == "second_master"
    assert not rig.core.unproven
    rig.reset()
    rig.run(0.5)
    assert rig.core.lockout is None, rig.story()


def test_a_ledger_that_cannot_be_written_starts_nothing():
    rig = Rig(store_failure="database or disk is full")
    rig.start()
    assert "ledger_failing" in rig.last(EventKind.SESSION_REFUSED).message
    rig.store_failure = ""
    rig.run(0.1)
    rig.command(Start("s-2", rig.treatment, "tester"))
    assert rig.core.session.state is S.READY


@pytest.mark.req("S07")
@pytest.mark.parametrize("rate_k_s", [5.5, 8.0, 16.0, 24.0])
def test_both_plate_channels_that_go_off_together_faster_than_metal_hurt_nobody(rate_k_s):
    """Both barriers go by the same two channels: no cut-out of the wand and no limit sees the true plate."""
    rig = Rig(treatment=Treatment("coldest", (Step(Zone.LEFT_CHEEK, 5.0, 30.0, 10.0),)))
    rig.to_applying(4.0)
    lowest, began, faults = math.inf, rig.now, rig.sim.plant.disturbances
    while rig.now < began + 30.0:
        faults.plate_a_offset_k = faults.plate_b_offset_k = min(7.0, rate_k_s * (rig.now - began + 0.05))
        rig.tick()
        lowest = min(lowest, rig.true_skin_degc)
    assert rig.core.lockout is not None, rig.story()
    assert rig.core.lockout.cause == "plate_jump"
    assert lowest >= 2.0


@pytest.mark.req("S03")
@pytest.mark.parametrize("zone_step", [Step(Zone.LEFT_CHEEK, 5.0, 30.0, 10.0), Step(Zone.LEFT_CHEEK, 8.0, 30.0, 10.0)])
@pytest.mark.parametrize("prepare", [Rig.to_lifted, Rig.to_applying])
def test_both_plate_channels_frozen_together_hurt_nobody(prepare, zone_step):
    rig = Rig(treatment=Treatment("frozen", (zone_step,)))
    prepare(rig)
    for channel in ("a", "b"):
        rig.sim.faults.inject(injection("plate_stuck", {"channel": channel}))
    rig.sim.plant.contact = True
    lowest, began = math.inf, rig.now
    while rig.now < began + 30.0:
        rig.tick()
        lowest = min(lowest, rig.true_skin_degc)
    assert rig.core.session.ended_why in {"plate_frozen", "plate_unheld"}, rig.story()
    assert lowest >= 2.0


@pytest.mark.req("S09")
@pytest.mark.parametrize(
    ("plate_degc", "name", "values"),
    [
        (5.0, "plate_off_plate", {"channel": "both"}),
        (8.0, "plate_off_plate", {"channel": "both"}),
        (5.0, "plate_drift", {"channel": "both", "rate_k_s": 1.0}),
        (5.0, "plate_drift", {"channel": "both", "rate_k_s": 0.3}),
        (5.0, "plate_drift", {"channel": "both", "rate_k_s": 0.12}),
    ],
)
def test_both_plate_channels_loose_or_drifting_on_the_skin_hurt_nobody(name, values, plate_degc):
    rig = Rig(treatment=Treatment("t", (Step(Zone.LEFT_CHEEK, plate_degc, 30.0, 10.0),)))
    rig.to_applying(4.0)
    rig.sim.faults.inject(injection(name, values))
    lowest, end = math.inf, rig.now + 30.0
    while rig.now < end:
        rig.tick()
        lowest = min(lowest, rig.true_skin_degc)
        if rig.core.session.state is S.LOCKED:
            end = min(end, rig.now + 3.0)
    assert rig.core.session.ended_why in {"plate_unheld", "plate_jump", "residual"}, rig.story()
    assert lowest >= 2.0
