"""What only a driven plate shows: cooling, the trip of a lease that expires, the reset. Only where the user allows it.

The plate is cooled by at most 3 K for less than a second at a time, in the air. One reset is used; the wand allows
three in ten minutes.
"""

from cryodevice.wire.codes import Flag, Refusal, State, Trip
from firmware_sim.conformance.blocks import RESET_KEY, Status
from firmware_sim.conformance.clause import Group
from firmware_sim.conformance.clauses.checks import can_cool
from firmware_sim.conformance.clauses.identity import is_zero
from firmware_sim.conformance.clauses.lease import TOLERANCE_MS, since, watch_end
from firmware_sim.conformance.verdict import FailedError, SkippedError, expect
from firmware_sim.conformance.wand import Wand

GROUP = Group("Driving the plate")
BELOW_K = 3.0
LOWEST_DEGC = 12.0
"""The plate is never asked below this: far above every cut-out (engineering default)."""
PULSE_MS = 400


def _pulse_ms(wand: Wand) -> int:
    return min(PULSE_MS, wand.long_ms)


def _setpoint(wand: Wand) -> int:
    """A little below where the plate is, in counts."""
    if not can_cool(wand):
        raise SkippedError("this wand has no capability to cool")
    status = wand.status()
    if status.has(Flag.CONTACT):
        raise SkippedError("the plate touches skin; lift it and run again")
    if not status.plates:
        raise FailedError("no plate channel shows a temperature")
    setpoint = min(status.plates) - BELOW_K
    if not LOWEST_DEGC <= setpoint <= wand.identity.setpoint_max_degc:
        raise SkippedError(f"the plate is at {min(status.plates):.1f} °C; let it come to rest and run again")
    return round(setpoint * 100)


def _no_trip(status: Status) -> None:
    expect(not status.has(Flag.TRIP_LATCHED), f"trip {status.trip_code} is latched")


@GROUP.clause("LEASE-23.cooling", "a cool order drives: state 2, setpoint in force, current", drives=True)
def cools(wand: Wand) -> str:
    """The reply, then the current a few ticks later; a stop ends it."""
    setpoint = _setpoint(wand)
    after = wand.cool(setpoint, _pulse_ms(wand))
    expect(after.state == State.COOLING, f"state is {after.state} in the reply to a cool order, not 2")
    expect(
        after.setpoint_degc == setpoint / 100,
        f"setpoint_degc is {after.setpoint_degc} in the reply, ordered were {setpoint / 100:.2f} °C",
    )
    wand.ticks(8)
    driven = wand.status()
    expect(
        driven.drive_ma is None or driven.drive_ma > 0,
        f"{driven.drive_ma} mA flow 160 ms after a cool order 3 K below the plate",
    )
    stopped = wand.stop()
    expect(stopped.state == State.OFF, f"state is {stopped.state} after a stop")
    return f"state 2, {setpoint / 100:.2f} °C, {driven.drive_ma} mA"


@GROUP.clause("LEASE-02.driving", "a stop zeroes the drive in the same tick", drives=True)
def stop_zeroes(wand: Wand) -> str:
    """The current two ticks after a stop."""
    wand.cool(_setpoint(wand), _pulse_ms(wand))
    wand.ticks(6)
    after = wand.stop()
    expect(not after.has(Flag.RELAY_CLOSED), "flag 8 (relay closed) stands in the reply to a stop")
    wand.ticks(2)
    later = wand.status()
    expect(is_zero(wand, later), f"{later.drive_ma} mA flow two ticks after a stop")
    _no_trip(later)
    return f"{later.drive_ma} mA two ticks later"


@GROUP.clause("LEASE-14.driving", "arming ends cooling: drive zero, though relay and lease go on", drives=True)
def arming_ends(wand: Wand) -> str:
    """The current three ticks after mode 0 with a lease has followed mode 1."""
    lease = _pulse_ms(wand)
    wand.cool(_setpoint(wand), lease)
    wand.ticks(6)
    wand.arm(lease)
    wand.ticks(3)
    later = wand.status()
    expect(later.has(Flag.LEASE_LIVE), "the lease has ended (flag 0)")
    expect(is_zero(wand, later), f"{later.drive_ma} mA flow three ticks after arming")
    wand.stop()
    return f"{later.drive_ma} mA three ticks later"


@GROUP.clause("LEASE-11.driving", "cooling counts from the sample too", drives=True)
def cooling_from_sample(wand: Wand) -> str:
    """On a status 150 ms old."""
    setpoint = _setpoint(wand)
    sample = wand.status()
    wand.wait(0.15)
    lease = _pulse_ms(wand)
    after = wand.cool(setpoint, lease, sample)
    wand.stop()
    error = after.lease_remaining_ms - (lease - since(sample.uptime_ms, after.uptime_ms))
    expect(abs(error) <= TOLERANCE_MS, f"{after.lease_remaining_ms} ms remain, {error:+d} ms from what it should be")
    return f"{error:+d} ms"


@GROUP.clause(
    "LEASE-16",
    "a lease that expires in mode 1 zeroes the drive, opens the relay, latches trip 1",
    "CUTOUT-09",
    drives=True,
)
def expires(wand: Wand) -> str:
    """Cooled for 300 ms, then only read. The clauses after it use this trip; the last of them resets it."""
    wand.clear_trip()
    setpoint = _setpoint(wand)
    lease = min(300, wand.long_ms)
    sample = wand.before_trip = wand.status()
    wand.cool(setpoint, lease, sample)
    last, first = watch_end(wand, sample, lease)
    expect(not first.has(Flag.RELAY_CLOSED), "the relay is closed (flag 8) after the lease ended")
    wand.ticks(3)
    after = wand.status()
    expect(is_zero(wand, after), f"{after.drive_ma} mA flow three ticks after the lease ended")
    expect(
        after.has(Flag.TRIP_LATCHED) and after.trip_code == Trip.LEASE_EXPIRED,
        f"trip {after.trip_code} is latched, not 1",
    )
    expect(after.state == State.TRIPPED, f"state is {after.state}, not 4 (tripped)")
    live_ms, ended_ms = since(sample.uptime_ms, last.uptime_ms), since(sample.uptime_ms, first.uptime_ms)
    return f"live at {live_ms} ms, tripped at {ended_ms} ms"


def _trip(wand: Wand) -> None:
    """See to it that trip 1 is latched: by a lease that expires, where none is."""
    status = wand.status()
    if status.has(Flag.TRIP_LATCHED):
        return
    wand.before_trip = status
    wand.cool(_setpoint(wand), 100)
    wand.wait(0.2)
    if not wand.status().has(Flag.TRIP_LATCHED):
        raise SkippedError("no trip stays latched here (LEASE-16)")


@GROUP.clause("CUTOUT-10.driving", "a trip stands until it is reset, whatever a stop says", drives=True)
def stands(wand: Wand) -> str:
    """A stop, time, then orders that are refused (7)."""
    _trip(wand)
    wand.stop()
    wand.wait(0.2)
    status = wand.status()
    expect(status.has(Flag.TRIP_LATCHED), "the trip is gone after a stop and 200 ms")
    wand.refused(wand.make(status, lease_ms=wand.long_ms), Refusal.TRIP_LATCHED, "arming while tripped")
    return f"trip {status.trip_code} stands; arming refused (7)"


@GROUP.clause("LEASE-18", "a reset echoes a status that showed this trip", "LEASE-20", "LEASE-19", drives=True)
def reset(wand: Wand) -> str:
    """One on a status of before the trip is refused (9), then a good one clears trip and flag; a second is refused."""
    _trip(wand)
    if wand.before_trip is not None:
        early = wand.make(wand.before_trip, key=RESET_KEY)
        wand.refused(early, Refusal.RESET, "a reset on a status of before the trip")
    status = wand.status()
    order = wand.make(status, key=RESET_KEY)
    answer = wand.order(order)
    if answer.status is None:
        raise FailedError(
            f"a reset was refused ({answer.refusal}); where three were accepted in the last ten minutes that is right: "
            "wait, reset the wand and run again"
        )
    expect(answer.status.state == State.OFF, f"state is {answer.status.state} in the reply to a reset, not 0 (off)")
    wand.ticks(2)
    after = wand.status()
    expect(after.trip_code == 0 and not after.has(Flag.TRIP_LATCHED), f"trip {after.trip_code} stands after a reset")
    expect(not after.has(Flag.LEASE_LIVE), "a reset left a lease")
    wand.refused(wand.make(wand.status(), key=RESET_KEY), Refusal.RESET, "a second reset")
    return "cleared; the second refused (9)"
