from dataclasses import replace

import pytest

from cryodevice.quantities import Seconds
from cryodevice.safety import skin_estimate
from cryodevice.safety.exposure import Dose, ZoneExposure
from cryodevice.safety.limits import limits
from cryodevice.safety.phases import SessionState
from cryodevice.treatment.core import Config, initial
from cryodevice.treatment.nearing import nearing
from cryodevice.treatment.session import Session


def core(state=SessionState.APPLYING, contact_s: float = 0.0, step_s: float = 0.0, **other):
    start = initial(Config(limits(other)), Seconds(0.0), skin_estimate.begin(Seconds(0.0)))
    exposure = replace(ZoneExposure(0.0, 0.0, 0.0, 0.0, 0.0, 20.0, 30.0), contact_s=contact_s)
    session = replace(Session(), state=state, touched_s=step_s)
    return replace(start, session=session, dose=Dose().with_zone(session.zone, exposure, Seconds(0.0)))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"step_s": 71.9}, ""),
        ({"step_s": 72.0}, "contact time of the step: 72 of 90 s are used"),
        ({"contact_s": 479.9}, ""),
        ({"contact_s": 480.0}, "contact time of the zone: 480 of 600 s are used"),
        ({"contact_s": 400.0, "session_contact_s": 500.0}, "contact time of the session: 400 of 500 s are used"),
        ({"contact_s": 400.0, "day_contact_s": 500.0}, "contact time of the day: 400 of 500 s are used"),
        ({"contact_s": 599.0, "state": SessionState.STOPPED}, ""),
    ],
)
def test_four_fifths_of_a_time_limit_are_said(how, says):
    assert nearing(core(**how)) == says
