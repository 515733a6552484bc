"""The proof before a session against a wand that is not what it should be, from the first identification on."""

import pytest

from cryodevice.safety.events import EventKind
from cryodevice.safety.phases import SessionState
from cryodevice.treatment.core import Config
from cryodevice.treatment.proof import FAN_TRIES
from firmware_sim.faults import injection
from tests.system.rig import Rig

S = SessionState


def proven(fault: str | None, rig: Rig | None = None, **values: object) -> Rig:
    """A rig that has been asked to start, with a fault from the start, after the proof has come to an end."""
    rig = rig or Rig()
    if fault is not None:
        rig.sim.faults.inject(injection(fault, values))
    rig.start()
    rig.run(5.0)
    return rig


def test_a_good_wand_passes_at_the_first_try_and_says_so():
    rig = proven(None)
    assert EventKind.PROOF_PASSED in rig.kinds()
    assert rig.core.session.state in {S.PRECOOL, S.LIFTED}
    assert rig.core.session.proof.tries == 0


@pytest.mark.parametrize(
    ("fault", "values", "why"),
    [
        ("relay_welded", {}, "lease or relay still on after"),
        ("relay_not_closing", {}, "the relay did not close under a live lease"),
        ("ignores_lease", {}, "lease or relay still on after"),
        ("lease_overrun", {}, "lease or relay still on after"),
        ("fan_never_on", {}, "the fan did not turn within 2 s of a live lease"),
        ("fan_stalled", {}, "the fan did not turn within 2 s of a live lease"),
        ("fan_tachometer_dead", {}, "the fan did not turn within 2 s of a live lease"),
        ("plate_offset", {"offset_k": 1.5}, "apart at rest"),
    ],
)
def test_a_wand_that_fails_is_watched_only_and_the_state_says_why(fault, values, why):
    rig = proven(fault, **values)
    assert rig.core.session.state is S.STOPPED, rig.story()
    assert rig.core.session.ended_why == "lease_proof"
    assert why in rig.last(EventKind.PROOF_FAILED).message
    (finding,) = [found for found in rig.core.verdict.active if found.id == "lease_proof"]
    assert why in finding.hint
    assert not [order for _, order in rig.leases if order.mode], "never driven"
    assert 1 <= len(rig.leases) <= FAN_TRIES
    rig.start()
    assert why in rig.last(EventKind.SESSION_REFUSED).message


@pytest.mark.parametrize(
    ("fault", "pinned", "why"),
    [
        ("wrong_serial_number", {"serial_number": 1}, "device.serial_number is 1"),
        ("older_firmware", {"oldest_firmware": (1, 0, 0)}, "device.oldest_firmware is 1.0.0"),
    ],
)
def test_what_the_settings_pin_is_held_to(fault, pinned, why):
    rig = Rig()
    good = rig.sim.firmware.identity_values()
    pinned = {"serial_number": good["serial_number"]} if "serial_number" in pinned else pinned
    why = why if "serial_number" not in pinned else f"device.serial_number is {good['serial_number']}"
    rig.config = Config(rig.config.limits, allow_simulated=True, **pinned)
    rig.sim.faults.inject(injection(fault))
    rig.run(2.0)
    assert not rig.leases
    assert rig.order is None
    assert why in rig.last(EventKind.WAND_MONITORED_ONLY).message
    assert next(found.hint for found in rig.core.verdict.active if found.id == "identity").endswith(why)


def test_a_wand_that_says_more_than_it_does_gets_no_more_for_it():
    """Wider limits are intersected with ours; nothing is ordered outside either."""
    rig = proven("wider_limits")
    assert rig.core.limits == rig.config.limits
    assert EventKind.PROOF_PASSED in rig.kinds()
