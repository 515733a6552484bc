"""The doctor's looks at the wand that answers. Orders nothing but zero power, and that only in the lease proof.

The line to it is looked at by ``doctor_line``. Where a daemon of ours has the wand, ``doctor_daemon`` asks that daemon.
"""

import asyncio
import json
import time

from cryodevice.cli import doctor_checks as judged
from cryodevice.cli.doctor_case import Case
from cryodevice.cli.doctor_checks import Result, fail, ok, skip, warn
from cryodevice.cli.doctor_line import otherwise
from cryodevice.cli.doctor_proof import LeaseProof
from cryodevice.errors import CryodeviceError, DeviceError, LinkTimeoutError, QuantityError
from cryodevice.quantities import Channel, Seconds, wire_day
from cryodevice.runtime.connection import random_token
from cryodevice.runtime.wall_trust import synchronised
from cryodevice.safety.limits import intersect
from cryodevice.treatment.evidence import NO_CALIBRATION_DAY, acceptable
from cryodevice.treatment.proof import PROOF_LEASE_MS
from cryodevice.wire.blocks import Identity
from cryodevice.wire.codes import REQUIRED_TO_COOL, Applicator, Capability, Fault, Flag, Trip
from cryodevice.wire.modbus import QUIET_S

ROUND_TRIPS, LOOK_EVERY_S = 20, 0.012
"""A quarter of a second in all."""


async def identity(case: Case) -> Result:
    """Is it a wand we may drive?"""
    wand = case.identity
    if wand is None:
        return await _nobody(case)
    said = (
        f"wand {wand.serial_number}, firmware {wand.firmware}, wire {wand.wire_version >> 8}.{wand.wire_version & 255}"
    )
    evidence = {"serial_number": wand.serial_number, "firmware": wand.firmware, "simulated": wand.simulated}
    if wand.simulated:
        said = f"SIMULATED {said}"
        if not case.settings.device.allow_simulated:
            return fail(said, "connect a real one, or set device.allow_simulated = true", **evidence)
    missing = REQUIRED_TO_COOL & ~wand.capabilities
    if missing:
        names = ", ".join(_words(bit) for bit in Capability if bit in missing)
        return fail(f"{said}, without {names}", "it can only be watched, never driven", **evidence)
    if wand.applicator != Applicator.PLATE:
        return warn(f"{said}: {acceptable(wand)}", "nothing: it is watched", **evidence)
    if why := _unfit(case, wand):
        return fail(
            f"{said}: {why}", "connect the right wand, or put the settings right: it is only watched", **evidence
        )
    return ok(said, **evidence)


def _unfit(case: Case, wand: Identity) -> str:
    return acceptable(wand, case.settings.device.serial_number, case.settings.device.firmware_from)


async def _nobody(case: Case) -> Result:
    why = case.unanswered.message if case.unanswered is not None else "nobody answered"
    if not isinstance(case.unanswered, DeviceError) and (other := await otherwise(case.settings)):
        put = " and ".join(f"link.{key} = {json.dumps(value)}" for key, value in other.items())
        return fail(f"no wand answers as it is set; one answers with {put}", f"set {put}", **other)
    return fail(why, "check that the right port is named and the wand is switched on")


async def round_trip(case: Case) -> Result:
    """Do exchanges come back in time, and does the wand go on sampling?"""
    deadline_s = case.settings.control.exchange_deadline_s
    wand, times_s, missed, first = case.wand, list[float](), 0, None
    if wand is None:  # pragma: no cover  # an identity came from it
        return skip("no line")
    for _ in range(ROUND_TRIPS):
        try:
            case.reading = await wand.read_status(Seconds(deadline_s))
        except LinkTimeoutError:
            missed += 1
            await asyncio.sleep(QUIET_S)  # on some lines the driver asks nothing for so long, and one miss is one miss
            continue
        first = case.reading.status if first is None else first
        times_s.append(wand.counters.round_trip_s)
        await asyncio.sleep(LOOK_EVERY_S)
    if case.epoch is None and first is not None:
        case.epoch = first.order_epoch
    if case.reading is not None and first is not None and case.reading.status.sequence == first.sequence:
        return fail(
            "the wand answers and has stopped sampling", "switch it off and on; have it serviced if it stays so"
        )
    return judged.round_trip(times_s, missed, deadline_s)


async def limits(case: Case) -> Result:
    """Do the wand's limits and ours leave something between them?"""
    wand = _known(case)
    try:
        force_here = intersect(case.settings.limits, wand)
    except QuantityError as error:
        return fail(
            f"the wand's limits and the settings leave nothing between them: {error.message}",
            "put [limits] right, or have the wand serviced",
        )
    floor, ceiling = force_here.plate_floor_degc, force_here.plate_ceiling_degc
    narrower = " (narrowed by the wand)" if force_here != case.settings.limits else ""
    lease = min(case.settings.control.lease_ms, wand.lease_max_ms)
    evidence = {"plate_floor_degc": floor, "plate_ceiling_degc": ceiling, "lease_ms": lease}
    return ok(f"plate {floor:g} to {ceiling:g} degC, lease {lease} ms in force{narrower}", **evidence)


async def calibration(case: Case) -> Result:
    """Is the wand's calibration recent?"""
    return calibrated_on(_known(case).calibration_day)


def calibrated_on(day: int) -> Result:
    """The calibration of a wand that gives this day for it; 0 and 0xFFFF are none."""
    age_days = None if day in NO_CALIBRATION_DAY else wire_day(time.time()) - day
    return judged.calibration(age_days, clock_kept=synchronised())


async def at_rest(case: Case) -> Result:
    """Is the wand at rest: no trip, no fault, no lease, no current?"""
    if case.reading is None:  # pragma: no cover  # the round trips before would have failed
        return skip("no reading")
    status = case.reading.status
    faults = ", ".join(_words(bit) for bit in Fault if bit in status.faults)
    if Flag.TRIP_LATCHED in status.flags:
        present = f"; still present: {faults}" if faults else ""
        return fail(
            f"the wand has tripped: {tripped_by(status.trip_code)}{present}",
            "remove the cause, start the daemon, then: cryodevice reset",
            trip_code=status.trip_code,
        )
    if Flag.LEASE_LIVE in status.flags or status.order_epoch != case.epoch:
        return fail("another program orders this wand", "end it: a wand has one master")
    drive_ma = case.reading.value(Channel.DRIVE_CURRENT)
    if Flag.RELAY_CLOSED in status.flags or not abs(drive_ma) <= case.settings.limits.off_current_ma:
        return fail(f"the wand is not off: {drive_ma:g} mA flow", "cut its supply and have it serviced")
    if faults:
        return warn(f"the wand reports: {faults}", "see to it before a treatment")
    return ok("off, no trip, no fault, no lease, no current")


def tripped_by(code: int) -> str:
    """A trip code in words."""
    return next((_words(trip) for trip in Trip if trip.value == code), str(code))


async def lease_proof(case: Case) -> Result:
    """Does the wand let go by itself? At zero power; the daemon does the same before each session."""
    wand, line, reading = _known(case), case.wand, case.reading
    why = _unfit(case, wand)
    if case.settings.control.monitoring_only:
        why = "control.rate_hz is below 10 Hz: the wand is watched and never ordered"
    if why or line is None or reading is None:
        return skip(why or "no line")
    outcome = await LeaseProof(line, wand, reading, random_token(), case.settings.limits.off_current_ma).run()
    evidence = {"live_ms": outcome.live_ms, "gone_ms": outcome.gone_ms}
    if outcome.why:
        return fail(outcome.why, "have the wand serviced: it is never driven like this", **evidence)
    if not outcome.shown_safe:
        return fail(
            "the wand did not show that it is off afterwards", "cut its supply and have it serviced", **evidence
        )
    return ok(
        f"armed for {PROOF_LEASE_MS} ms at zero power, it let go between {outcome.live_ms} and {outcome.gone_ms} ms",
        **evidence,
    )


def _known(case: Case) -> Identity:
    if case.identity is None:  # pragma: no cover  # the check before would have failed
        raise CryodeviceError("no wand was identified")
    return case.identity


def _words(code: Capability | Fault | Trip) -> str:
    return (code.name or str(code.value)).lower().replace("_", " ")
