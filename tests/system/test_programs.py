"""Programs with cycles, lived through on plant, firmware and frames; every way taken is one of the table's."""

from dataclasses import replace

import pytest

from cryodevice.safety.events import EventKind
from cryodevice.safety.limits import CYCLE_SKIN_DEGC, Zone
from cryodevice.safety.phases import SessionState
from cryodevice.settings.program_file import load_program, shipped
from cryodevice.treatment.forecast import forecast
from cryodevice.treatment.program import Step, Treatment
from cryodevice.treatment.programs import Program, ProgramStep, spread
from cryodevice.treatment.session_table import WAYS, Happening
from tests.system.rig import Rig
from tests.treatment.ways import followed, reached

S = SessionState
L, R, F = Zone.LEFT_CHEEK, Zone.RIGHT_CHEEK, Zone.FOREHEAD
IN_TURN = Program("in turn", (ProgramStep((L, R), 12.0, 3.0, 30.0, cycles=2, glide=True),))


def lived(rig: Rig, within_s: float) -> dict[Zone, float]:
    """A hand that does as the session asks, until it ends; true lowest skin by zone."""
    plant, lowest = rig.sim.plant, dict[Zone, float]()
    rig.start()
    with followed() as taken:
        while rig.core.session.session_id != "s-1" or rig.core.session.state not in {S.COMPLETE, S.STOPPED, S.LOCKED}:
            assert rig.now < within_s, rig.story()
            session, before = rig.core.session, rig.core.session.state
            plant.zone = session.zone.value
            plant.contact = session.state in {S.LIFTED, S.APPLYING}
            plant.motion = session.current is not None and session.current.glide
            taken.clear()
            rig.tick()
            assert rig.core.session.state in reached(before, taken), rig.story()
            assert all(WAYS[start, happening] is end for start, happening, end in taken)
            lowest[session.zone] = min(lowest.get(session.zone, 99.0), rig.true_skin_degc)
    return lowest


def test_two_zones_in_turn_each_rewarm_while_the_wand_works_the_other():
    rig = Rig(treatment=spread(IN_TURN))
    lowest = lived(rig, 200.0)
    assert (rig.core.session.state, rig.core.session.ended_why) == (S.COMPLETE, ""), rig.story()
    started = [event for event in rig.events if event.kind is EventKind.STEP_STARTED]
    assert [event.evidence["zone"] for event in started] == ["left_cheek", "right_cheek"] * 2
    finished = [event.at_s for event in rig.events if event.kind is EventKind.STEP_FINISHED]
    for first in (0, 1):
        assert started[first + 2].at_s - finished[first] >= 30.0, "time off the skin before the zone's next cold"
    planned = forecast(rig.treatment, rig.core.limits).zones
    for zone in (L, R):
        assert lowest[zone] >= planned[zone].lowest_skin_degc, "the forecast is below the truth"
        assert planned[zone].contact_s + 1.0 >= rig.core.dose.of(zone).contact_s >= 6.0


def test_a_zone_that_does_not_rewarm_ends_its_step_and_no_more(monkeypatch):
    monkeypatch.setattr("cryodevice.treatment.session.CYCLE_SKIN_DEGC", 60.0)
    cold = Step(L, 12.0, 2.0, 2.0, give_up_s=6.0, part=1)
    rig = Rig(treatment=Treatment("p", (cold, replace(cold, zone=R), replace(cold, zone=F, part=2))))
    with followed() as taken:
        rig.start()
        rig.until_state(S.LIFTED, 40.0)
        rig.sim.plant.contact = True
        rig.until_state(S.REWARMING, 10.0)
        rig.sim.plant.contact = False
        began = rig.now
        rig.until(lambda: rig.core.session.left_out, 10.0)
        assert rig.now - began == pytest.approx(6.0, abs=0.2)
        assert rig.core.session.zone is R
        assert rig.last(EventKind.STEP_LEFT_OUT).evidence["step"] == 2
        monkeypatch.setattr("cryodevice.treatment.session.CYCLE_SKIN_DEGC", CYCLE_SKIN_DEGC)
        rig.until_state(S.PRECOOL, 10.0)
    assert rig.core.session.zone is F
    assert Happening.LEFT_OUT in {happening for _, happening, _ in taken}


@pytest.mark.campaign
@pytest.mark.parametrize("path", sorted(shipped().glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_program_comes_to_its_end_without_a_trip(path):
    rig = Rig(treatment=spread(load_program(path).program))
    lowest = lived(rig, 1800.0)
    assert (rig.core.session.state, rig.core.session.ended_why) == (S.COMPLETE, ""), rig.story()
    planned = forecast(rig.treatment, rig.core.limits).zones
    for zone, true_degc in lowest.items():
        assert true_degc >= planned[zone].lowest_skin_degc
        assert rig.core.dose.of(zone).contact_s >= sum(s.hold_s for s in rig.treatment.steps if s.zone is zone)
