"""What the loop tells the world after each tick: one frozen picture, and numbered events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryodevice.quantities import Seconds
from cryodevice.runtime.alarm_desk import QUIET, AlarmView
from cryodevice.runtime.ports import TripNote
from cryodevice.safety.events import Event
from cryodevice.safety.exposure import ZoneExposure
from cryodevice.safety.limits import Limits, Zone
from cryodevice.safety.phases import SessionState
from cryodevice.safety.readings import Reading
from cryodevice.safety.verdict import Finding, Lockout
from cryodevice.wire.blocks import Identity, Order


@dataclass(frozen=True, slots=True)
class SessionView:
    """The session as a person sees it. ``step`` counts from 1; 0 when there is none."""

    session_id: str
    state: SessionState
    step: int
    steps: int
    zone: Zone | None
    setpoint_degc: float | None
    hold_s: float
    contact_s: float
    rewarm_left_s: float
    ended_why: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One tick.

    Args:
        at_s: Monotonic second of the tick.
        wall_s: Seconds since 1970 UTC, for display.
        link_up: A good reply within the link-lost time.
        link_why: Why the link is down, empty when it is up.
        reading: Newest reading, kept when the link goes; its age is ``at_s - reading.at_s``.
        identity: The wand's identity, once known.
        session: The session.
        permit: Whether cooling is permitted now.
        findings: Active interlocks, strongest matters most; these are the reasons.
        lockout: The latched lockout.
        order: The order answered last.
        skin_estimate_degc: Worst-case skin of the zone worked on (a model's assumption, always labelled so); NaN none.
        exposure: Totals of this session by zone.
        limits: Limits in force.
        tick_late_ms: How late this tick ran.
        ticks, misses, overruns: Counted since start.
        claimed: Our session token is in force; until then the wand is only watched.
        alarms: The alarms that stand.
        trip: The newest trip on record; None when there is none.
        trips_failing: Why trips are not being recorded; empty while they are.
        look_ahead: Gives the seconds of contact until each limit, nearest first (an estimate); reckoned when asked, so
            that no tick waits for it.
    """

    at_s: Seconds
    wall_s: float
    link_up: bool
    link_why: str
    reading: Reading | None
    identity: Identity | None
    session: SessionView
    permit: bool
    findings: tuple[Finding, ...]
    lockout: Lockout | None
    order: Order | None
    skin_estimate_degc: float
    exposure: Mapping[Zone, ZoneExposure]
    limits: Limits
    tick_late_ms: float
    ticks: int
    misses: int
    overruns: int
    claimed: bool = True
    alarms: AlarmView = QUIET
    trip: TripNote | None = None
    trips_failing: str = ""
    look_ahead: Callable[[], Mapping[str, float]] = dict


@dataclass(frozen=True, slots=True)
class NumberedEvent:
    """An event with its place: ``epoch`` is one run of the daemon, ``seq`` has no gaps within it."""

    epoch: str
    seq: int
    wall_s: float
    event: Event
