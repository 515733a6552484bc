"""What only a tripped wand shows. The kit cannot trip one: a person presses the e-stop before the run and holds it."""

from cryodevice.wire.codes import Fault, Flag, Mode, Refusal, State, Trip
from firmware_sim.conformance.blocks import RESET_KEY
from firmware_sim.conformance.clause import Group, Wants
from firmware_sim.conformance.clauses.checks import BAD_KEY, can_cool, unknown_echo
from firmware_sim.conformance.clauses.identity import is_zero
from firmware_sim.conformance.verdict import expect
from firmware_sim.conformance.wand import Wand

GROUP = Group("Tripped by an e-stop that is still pressed")


@GROUP.clause("CUTOUT-07", "a pressed e-stop shows in flag, fault and trip", wants=Wants.ESTOP)
def shows(wand: Wand) -> str:
    """Flag 3, fault 14, trip 10, state 4."""
    wand.ticks(1)
    status = wand.status()
    expect(bool(status.faults & Fault.ESTOP), "fault 14 (e-stop) is not set while flag 3 (e-stop pressed) is")
    expect(status.trip_code == Trip.ESTOP, f"trip code is {status.trip_code}, not 10")
    expect(status.has(Flag.TRIP_LATCHED), "flag 9 (trip latched) is not set")
    expect(status.state == State.TRIPPED, f"state is {status.state}, not 4 (tripped)")
    return "flag 3, fault 14, trip 10, state 4"


@GROUP.clause("CUTOUT-09", "while tripped the drive is zero and the relay open", "LEASE-15", wants=Wants.ESTOP)
def off(wand: Wand) -> str:
    """Ten ticks."""
    for _ in range(10):
        status = wand.status()
        expect(not status.has(Flag.RELAY_CLOSED), "the relay is closed (flag 8) while a trip is latched")
        expect(is_zero(wand, status), f"{status.drive_ma} mA flow while a trip is latched")
        wand.ticks(1)
    return "relay open, no current"


@GROUP.clause("LEASE-07.6", "row 6: while tripped a mode or a lease is refused (7), a stop is not", wants=Wants.ESTOP)
def refused(wand: Wand) -> str:
    """Arming and mode 1, with setpoint, lease, echo and key wrong too."""
    wand.ticks(1)
    status = wand.status()
    order = wand.make(status, lease_ms=0xFFFF, echo=unknown_echo(status), key=BAD_KEY)
    wand.refused(order, Refusal.TRIP_LATCHED, "arming")
    if can_cool(wand):
        order = wand.make(status, mode=Mode.COOL, setpoint=0x8000, echo=unknown_echo(status))
        wand.refused(order, Refusal.TRIP_LATCHED, "mode 1")
    wand.stop()
    return "7"


@GROUP.clause("CUTOUT-10", "a stop does not clear a trip", wants=Wants.ESTOP)
def latched(wand: Wand) -> str:
    """With the session's token and with another."""
    for token in (wand.token, wand.fresh_token()):
        status = wand.stop(token=token)
        expect(status.state == State.TRIPPED, f"state is {status.state} in the reply to a stop, not 4 (tripped)")
        status = wand.status()
        expect(status.trip_code == Trip.ESTOP, f"after a stop trip {status.trip_code} is latched, not 10")
    return "trip 10 stands"


@GROUP.clause("LEASE-19", "a reset is refused (9) while the cause is present", wants=Wants.ESTOP)
def cause_present(wand: Wand) -> str:
    """One that is good in every other way."""
    wand.ticks(1)
    order = wand.make(wand.status(), key=RESET_KEY)
    wand.refused(order, Refusal.RESET, "a reset while the e-stop is pressed")
    status = wand.status()
    expect(status.trip_code == Trip.ESTOP, f"after a refused reset trip {status.trip_code} is latched, not 10")
    return "9, trip 10 stands"
