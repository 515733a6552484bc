"""A wand that lies on its contact sensor between treatments uses nothing up; a cold one on the skin does."""

from cryodevice.safety.events import EventKind
from cryodevice.safety.limits import RETREAT_S
from cryodevice.safety.phases import SessionState
from tests.system.rig import Rig


def test_a_warm_plate_in_its_rest_is_no_exposure():
    rig = Rig()
    rig.sim.plant.contact = True
    rig.run(60.0)
    assert rig.core.dose.day_contact_s == 0.0
    rig.sim.plant.contact = False
    rig.run(12.0)
    rig.to_applying()
    assert rig.core.dose.earlier_sessions == 0


def test_a_cold_plate_touched_outside_of_a_session_is_dose_but_no_session():
    rig = Rig()
    rig.sim.plant.disturbances.plate_a_offset_k = -14.0
    rig.sim.plant.disturbances.plate_b_offset_k = -14.0
    rig.until(lambda: rig.core.link.claimed, 3.0)
    rig.sim.plant.contact = True
    rig.run(5.0)
    rig.sim.plant.contact = False
    for tenths in range(-140, 1, 2):
        rig.sim.plant.disturbances.plate_a_offset_k = rig.sim.plant.disturbances.plate_b_offset_k = tenths / 10.0
        rig.run(0.05)  # as fast as a plate may warm and as smoothly, or it is taken for a broken sensor
    rig.run(12.0)
    touched = rig.core.dose.day_contact_s
    assert touched >= 5.0
    rig.to_applying()
    assert rig.core.dose.day_contact_s >= touched
    assert rig.core.dose.earlier_sessions == 0
    assert rig.core.session.state is SessionState.APPLYING


def test_two_sessions_are_two_and_the_third_is_refused():
    rig = Rig()
    for _ in range(2):
        rig.to_applying()
        rig.until_state(SessionState.REWARMING, 30.0)
        rig.sim.plant.contact = False
        rig.until_state(SessionState.COMPLETE, 30.0)
        rig.run(RETREAT_S + 120.0)
    rig.start()
    refused = rig.last(EventKind.SESSION_REFUSED)
    assert refused.evidence["reasons"] == ("day_sessions: this day's sessions are used up",)
    assert rig.core.session.state is SessionState.COMPLETE
