"""What is charged once the wand's word has turned out not to be true: never less than there was."""

from dataclasses import replace

import pytest

from cryodevice.safety.limits import Zone
from cryodevice.safety.phases import SessionState
from cryodevice.treatment import doubt
from cryodevice.treatment.program import Step, Treatment
from firmware_sim.faults import injection
from tests.system.rig import Rig

S = SessionState
CHEEK = Zone.LEFT_CHEEK
COLDEST = Treatment("t", (Step(CHEEK, 5.0, 28.0, 10.0),))


def true_zone(rig):
    return rig.sim.plant.zones()[CHEEK.value]


def locked_on_the_skin(name: str, after_s: float = 5.0, **values) -> Rig:
    """A fault comes on the skin, and the wand stays there."""
    rig = Rig(treatment=COLDEST)
    rig.to_applying(4.0)
    rig.sim.faults.inject(injection(name, values))
    rig.until(lambda: rig.core.session.state not in {S.APPLYING, S.LIFTED, S.PAUSED}, 25.0)
    rig.run(after_s)
    return rig


def charged_enough(rig: Rig) -> None:
    true, booked = true_zone(rig), rig.core.dose.of(CHEEK)
    assert booked.contact_s >= true.contact_s - 0.5
    assert booked.below_10_s >= true.below_10_s - 0.5
    assert booked.d10_degc_s >= true.d10_degc_s - 5.0
    assert rig.core.estimate.skin_degc(CHEEK) <= rig.true_skin_degc


@pytest.mark.parametrize(
    ("name", "values", "cause"),
    [
        ("lies_plate", {"degc": 32.0}, "plate_jump"),
        ("plate_drift", {"channel": "both", "rate_k_s": 0.4}, "residual"),
    ],
)
def test_a_plate_that_was_lied_about_is_taken_at_the_floor_while_it_may_be_cold(name, values, cause):
    rig = locked_on_the_skin(name, **values)
    assert rig.core.session.ended_why == cause, rig.story()
    assert rig.core.doubted
    charged_enough(rig)


def test_a_doubt_ends_when_the_plate_must_be_warm():
    rig = locked_on_the_skin("lies_plate", degc=32.0)
    assert doubt.plate_degc(rig.core, rig.now) == rig.core.limits.plate_floor_degc
    later = rig.core.leased_at_s + doubt.WARMED_AFTER_S
    assert doubt.plate_degc(rig.core, later) == rig.core.limits.plate_floor_degc
    assert doubt.plate_degc(rig.core, later + 0.001) == pytest.approx(32.0, abs=0.1)


@pytest.mark.parametrize("name", ["sequence_without_sampling", "safety_task_dead"])
def test_what_was_touched_while_nothing_was_sampled_is_charged(name):
    rig = Rig(treatment=COLDEST)
    rig.to_lifted()
    rig.run(0.5)
    rig.sim.faults.inject(injection(name))
    rig.run(0.1)
    rig.sim.plant.contact = True
    rig.until(lambda: rig.core.session.state not in {S.APPLYING, S.LIFTED, S.PAUSED}, 10.0)
    rig.run(6.0)
    assert rig.core.doubted, rig.story()
    assert rig.core.dose.of(CHEEK).contact_s >= true_zone(rig).contact_s - 0.1 > 5.0
    assert rig.core.estimate.skin_degc(CHEEK) <= rig.true_skin_degc


def test_contact_that_was_seen_before_the_samples_stood_still_is_charged_once():
    rig = Rig(treatment=COLDEST)
    rig.to_applying(2.0)
    rig.sim.faults.inject(injection("safety_task_dead"))
    rig.run(3.0)
    assert rig.core.doubted
    assert rig.core.dose.of(CHEEK).contact_s == pytest.approx(true_zone(rig).contact_s, abs=0.3)


def test_what_is_sampled_again_is_believed_and_a_new_precool_ends_the_doubt():
    rig = Rig(treatment=COLDEST)
    rig.to_lifted()
    rig.sim.faults.inject(injection("sequence_without_sampling"))
    rig.until(lambda: rig.core.doubted, 10.0)
    assert doubt.blind(rig.core, rig.now)
    assert not doubt.blind(rig.core, rig.core.leased_at_s + doubt.WARMED_AFTER_S + 0.001)
    rig.sim.faults.clear()
    rig.run(0.5)
    assert not doubt.blind(rig.core, rig.now)
    again = replace(rig.core, session=replace(rig.core.session, state=S.PRECOOL))
    after = doubt.followed(again)
    assert (after.doubted, after.stuck_degc) == (False, None)


def test_a_residual_lowers_the_plate_of_the_estimate_while_it_is_treated():
    rig = Rig(treatment=COLDEST)
    rig.to_applying(2.0)
    shown = rig.core.reading.plate_cold_degc
    assert doubt.plate_degc(rig.core, rig.now) == shown
    off = replace(rig.core, model=replace(rig.core.model, apart_k=1.7, own_k=0.2))
    assert doubt.plate_degc(off, rig.now) == pytest.approx(shown - 1.0)
    assert doubt.plate_degc(replace(off, session=replace(off.session, state=S.STOPPED)), rig.now) == shown
    unknown = replace(off, model=replace(off.model, voltage_known=False))
    assert doubt.plate_degc(unknown, rig.now) == shown


def test_a_wand_that_was_not_driven_is_not_doubted():
    rig = Rig(treatment=COLDEST)
    rig.run(1.0)
    rig.sim.faults.inject(injection("lies_plate", {"degc": 32.0}))
    rig.run(1.0)
    assert "plate_jump" in {finding.id for finding in rig.core.verdict.active}, rig.story()
    assert not rig.core.doubted
