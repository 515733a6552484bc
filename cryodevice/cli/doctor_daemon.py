"""The doctor's looks at a wand that a running daemon of ours has: that daemon is asked, its port is left alone."""

from cryodevice.cli import doctor_checks as judged
from cryodevice.cli.doctor_case import Case
from cryodevice.cli.doctor_checks import Result, fail, ok, skip, warn
from cryodevice.cli.doctor_wand import calibrated_on, tripped_by
from cryodevice.records.ledger_file import WAY_OUT

_NO_WAND_OF_OURS = ("identity", "capability", "simulated")
"""Interlocks that speak of who the wand is."""


def _hint(case: Case, *interlocks: str) -> str:
    """What the daemon says to do about these interlocks; empty when none of them is active."""
    return "; ".join(reason["hint"] for reason in case.status["reasons"] if reason["interlock"] in interlocks)


async def ledger(case: Case) -> Result:
    """Does it trust its exposure store?"""
    if case.status and _hint(case, "dose_unknown"):
        return fail("the running daemon cannot trust its exposure store", f"see its log. {WAY_OUT}")
    return ok("the running daemon has it and trusts it")


async def exclusive(case: Case) -> Result:
    """Who has the port?"""
    del case
    return ok("the running daemon has the port")


async def identity(case: Case) -> Result:
    """Does it see a wand it may drive?"""
    if not case.status:
        return fail("the daemon has only just started", "wait a moment, then run this again")
    wand, link = case.status["wand"], case.status["link"]
    if not link["up"] or wand is None:
        return fail(f"the daemon has no wand: {link['why']}", "put that right; the daemon goes on trying by itself")
    said = f"{'SIMULATED ' if wand['simulated'] else ''}wand {wand['serial_number']}, firmware {wand['firmware']}"
    hint = _hint(case, *_NO_WAND_OF_OURS)
    return fail(said, hint) if hint else ok(said)


async def limits(case: Case) -> Result:
    """Which limits are in force?"""
    limit = case.status["limits"]
    return ok(f"plate {limit['plate_floor_degc']:g} to {limit['plate_ceiling_degc']:g} degC in force")


async def calibration(case: Case) -> Result:
    """When was the wand calibrated?"""
    return calibrated_on(int(case.status["wand"]["calibration_day"]))


async def round_trip(case: Case) -> Result:
    """How many exchanges has it missed?"""
    ticks, missed = case.status["ticks"], case.status["misses"]
    said = f"{missed} of {ticks} exchanges were missed since the daemon started"
    few = missed <= judged.MISSES_ALLOWED * ticks
    return ok(said) if few else warn(said, "check the cable; close other programs")


async def at_rest(case: Case) -> Result:
    """Is anything locked?"""
    lock, state = case.status["lockout"], case.status["session"]["state"]
    if lock is not None:
        return fail(f"locked by {lock['cause']}", f"{lock['hint']}; cryodevice status says how it is reset")
    if case.status["trip_code"]:
        said = f"the wand has tripped: {tripped_by(case.status['trip_code'])}"
        return fail(said, "remove the cause, then: cryodevice reset")
    return ok(f"nothing is locked; session {state}")


async def lease_proof(case: Case) -> Result:
    """Has the wand failed a proof of its?"""
    if hint := _hint(case, "lease_proof"):
        return fail("the wand did not let go by itself in the daemon's proof", hint)
    return skip("the daemon proves it before each session; stop the daemon to prove it here")


async def broker(case: Case) -> Result:
    """Does its telemetry reach a broker?"""
    if not case.status:
        return skip("the daemon has only just started")
    mqtt = case.status["mqtt"]
    if mqtt is None:
        return skip('mqtt.mode = "off"')
    if not mqtt["connected"]:
        return fail(
            f"the daemon does not reach {mqtt['broker']}: {mqtt['last_error'] or 'no answer yet'}", "see its log"
        )
    return ok(f"the daemon is connected to {mqtt['broker']}, MQTT {mqtt['protocol']}")
