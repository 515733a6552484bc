"""What ``cryodevice doctor`` looks at, in which order, and how a finding is judged. Pure: looks at nothing itself.

A check whose need has failed is skipped and names that check, so that the first failure explains the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from cryodevice.errors import ExitCode
from cryodevice.safety.limits import CALIBRATED_FOR_DAYS


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Result:
    """One check.

    Args:
        state: How it ended.
        message: What was found, for a person.
        todo: What to do about it; empty when there is nothing to do.
        evidence: Values that show it, JSON-able.
        because: The failed check that kept this one from being made; empty otherwise.
        check: Which check; the runner fills it in.
    """

    state: State
    message: str
    todo: str = ""
    evidence: Mapping[str, object] = field(default_factory=dict)
    because: str = ""
    check: str = ""


NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "settings": (),
        "state_dir": ("settings",),
        "disk": ("state_dir",),
        "daemon": ("state_dir",),
        "ledger": ("daemon",),
        "clock": (),
        "port": ("settings",),
        "permission": ("port",),
        "baud": ("settings",),
        "exclusive": ("permission", "baud", "daemon"),
        "identity": ("exclusive",),
        "limits": ("identity",),
        "calibration": ("identity",),
        "round_trip": ("identity",),
        "at_rest": ("round_trip",),
        "lease_proof": ("limits", "at_rest"),
        "broker": ("settings",),
        "certificate": ("settings",),
        "watchdog": (),
    }
)
"""Every check in the order it is made, and the checks that must not have failed before."""


def ok(message: str, **evidence: object) -> Result:
    """Nothing to do."""
    return Result(State.OK, message, evidence=evidence)


def warn(message: str, todo: str, **evidence: object) -> Result:
    """It works, and someone should know or do something."""
    return Result(State.WARN, message, todo, evidence)


def fail(message: str, todo: str, **evidence: object) -> Result:
    """It does not work as it is."""
    return Result(State.FAIL, message, todo, evidence)


def skip(why: str, **evidence: object) -> Result:
    """Not looked at, for a reason that is no failure."""
    return Result(State.SKIP, why, evidence=evidence)


def blocked(check: str, results: Mapping[str, Result]) -> Result | None:
    """The result of a check that cannot be made, named after the failure at the root of it; None when it can."""
    for need in NEEDS[check]:
        found = results[need]
        root = need if found.state is State.FAIL else found.because
        if root:
            return Result(State.SKIP, f"not looked at: {root} failed", because=root)
    return None


def exit_code(results: Sequence[Result]) -> ExitCode:
    """Warnings are fine; settings that cannot be used are configuration, every other failure is a failure."""
    failed = {result.check for result in results if result.state is State.FAIL}
    if "settings" in failed:
        return ExitCode.USAGE
    return ExitCode.FAILED if failed else ExitCode.FINE


LEAST_FREE_MIB, LOW_FREE_MIB = 16, 256
"""Below the first the ledger may not get its next page; below the second a log fills the rest in days (engineering
defaults)."""
SLOW_WRITE_S = 1.0
"""The newest durable record may be 2 s old and one is written each second, so a write slower than this holds cooling
(docs/architecture.md)."""


def space(free_mib: int, write_s: float | None) -> Result:
    """Free space, and how long one durable write took; None when none was tried."""
    wrote = f", a durable write took {write_s * 1e3:.1f} ms" if write_s is not None else ""
    said = f"{free_mib} MiB free{wrote}"
    evidence = {"free_mib": free_mib, "write_ms": None if write_s is None else round(write_s * 1e3, 1)}
    if free_mib < LEAST_FREE_MIB:
        return fail(said, "free some space: exposure that cannot be written withholds cooling", **evidence)
    if write_s is not None and write_s > SLOW_WRITE_S:
        return warn(said, "the disk is slow or busy: exposure written late holds cooling", **evidence)
    if free_mib < LOW_FREE_MIB:
        return warn(said, "free some space before it runs out", **evidence)
    return ok(said, **evidence)


EARLIEST_YEAR = 2025
"""A clock before this year has never been set: this program is younger."""


def clock(year: int, error_s: float | None) -> Result:
    """The wall clock.

    Args:
        year: What it says.
        error_s: Its largest error as the kernel knows it; None when nothing keeps it in step.
    """
    evidence = {"year": year, "synchronised": error_s is not None, "error_s": error_s}
    todo = "run a time service, such as systemd-timesyncd or chrony: exposure is aged by the clock across a reboot"
    if year < EARLIEST_YEAR:
        return fail(f"the clock says {year}: it has never been set", todo, **evidence)
    if error_s is None:
        return warn("the clock is not synchronised", todo, **evidence)
    return ok(f"synchronised, within {error_s:.3f} s", **evidence)


CERTIFICATE_SOON_DAYS = 30


def certificate(whose: str, begins: datetime, ends: datetime, now: datetime) -> Result:
    """The dates of a certificate, all in UTC."""
    days = (ends - now).total_seconds() / 86_400.0
    evidence = {"not_before": begins.isoformat(), "not_after": ends.isoformat(), "days_left": round(days, 1)}
    if now < begins:
        said = f"{whose} is valid from {begins:%Y-%m-%d %H:%M} UTC only"
        return fail(said, "set the clock of this computer, or have the certificate issued anew", **evidence)
    if days <= 0.0:
        return fail(f"{whose} expired on {ends:%Y-%m-%d %H:%M} UTC", "have it issued anew", **evidence)
    said = f"{whose} is valid until {ends:%Y-%m-%d}, {days:.0f} days"
    return (
        warn(said, "have it issued anew in time", **evidence) if days < CERTIFICATE_SOON_DAYS else ok(said, **evidence)
    )


def another_master(orders: int, lease_ms: int, seconds: float) -> str:
    """Why somebody else orders a wand that we have only read; empty when nobody shows.

    Args:
        orders: How many it accepted while it was read.
        lease_ms: What was left of its lease at the end; 0 when none was live.
        seconds: For how long it was read.
    """
    if orders:
        return f"another program orders this wand: {orders} orders in {seconds:.2f} s were not ours"
    if lease_ms:
        return f"another program orders this wand: a lease that is not ours is live, {lease_ms} ms are left of it"
    return ""


CALIBRATE_SOON_DAYS = 30
"""This long before a calibration expires the doctor says so (engineering default)."""


def calibration(age_days: int | None, *, clock_kept: bool) -> Result:
    """How long ago the wand was calibrated, by the clock of this computer; None when it does not say.

    A date that nobody keeps condemns no wand: the daemon starts with it, and what is found is a warning only.
    """
    if age_days is None:
        return fail("the wand does not say when it was calibrated: nothing starts with it", "have it calibrated")
    evidence = {"age_days": age_days}
    found, so = (
        (fail, "nothing starts with it") if clock_kept else (warn, "as nobody keeps this date, it is not refused")
    )
    if age_days < -1:  # a day for time zones
        said = f"calibrated {-age_days} days in the future: {so}"
        return found(said, "set the clock, or have it calibrated", **evidence)
    said = f"calibrated {max(0, age_days)} days ago"
    if age_days > CALIBRATED_FOR_DAYS:
        said = f"{said}: expired, it counts for {CALIBRATED_FOR_DAYS:g} days; {so}"
        return found(said, "have it calibrated", **evidence)
    if age_days > CALIBRATED_FOR_DAYS - CALIBRATE_SOON_DAYS:
        return warn(f"{said}: expires soon", "have it calibrated", **evidence)
    return ok(said, **evidence)


MISSES_ALLOWED = 0.1
"""Share of exchanges that may go unanswered while this computer is busy; one miss costs nothing (engineering
default)."""


def round_trip(times_s: Sequence[float], missed: int, deadline_s: float) -> Result:
    """How long exchanges took, of those answered, against the time one may take."""
    tried = len(times_s) + missed
    typical_s = sorted(times_s)[len(times_s) // 2] if times_s else deadline_s
    worst_s = max(times_s, default=deadline_s)
    said = f"typically {typical_s * 1e3:.1f} ms, at worst {worst_s * 1e3:.1f} of {deadline_s * 1e3:.0f} ms"
    evidence = {"typical_ms": round(typical_s * 1e3, 2), "worst_ms": round(worst_s * 1e3, 2), "missed": missed}
    if missed > tried / 2:
        todo = "check cable and adapter, and that this computer is not overloaded"
        return fail(f"{missed} of {tried} exchanges came too late or not at all", todo, **evidence)
    if missed > MISSES_ALLOWED * tried:
        return warn(f"{said}; {missed} of {tried} missed", "check the cable; close other programs", **evidence)
    return ok(said, **evidence)
