"""The alarm table: which priority a cause has, whether it latches, what clears it. Data; ``alarms`` lives it.

Every interlock has its row here, and so has every event and condition that a person must hear of; the rest is named
in ``NO_ALARM`` with the reason. Priorities follow harm and how soon it comes (clinical note 6.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType

from cryodevice.safety.events import EventKind


class Priority(IntEnum):
    """How urgent; the greater is shown and sounded first."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


class Latch(StrEnum):
    """Whether an alarm outlasts its condition until a person acknowledges it."""

    NO = "no"
    TREATING = "while treating"
    """Only an occurrence that began while a session was under way."""
    YES = "yes"


class Condition(StrEnum):
    """What no interlock looks at."""

    RATE_TOO_LOW = "rate_too_low"
    INTERRUPTED = "interrupted"
    NEAR_LIMIT = "near_limit"
    BROKER_LOST = "broker_lost"
    CLOCK_STEPPED = "clock_stepped"
    DISK_LOW = "disk_low"
    ALARM_LOG_FAILING = "alarm_log_failing"
    ALARM_LOG_LOST = "alarm_log_lost"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One row.

    Args:
        id: Stable name.
        reference: Row of the clinical note it comes from; several rows may share one.
        says: What is wrong, in words.
        treating: Priority while a session is under way, and for two seconds after.
        idle: Priority otherwise.
        latch: Whether it outlasts its condition.
        clears: What ends its condition.
        interlocks: Rows of the interlock table that are its conditions; their dwell is its delay.
        events: Events that are its conditions for the moment they happen.
        conditions: What else is its condition.
        delay_s: How long its condition must have lasted, s.
        idle_delay_s: The same while no session is under way, s.
        blind: While it is present nobody guards the wand: it is shown as NOT MONITORING.
    """

    id: str
    reference: str
    says: str
    treating: Priority
    idle: Priority
    latch: Latch
    clears: str
    interlocks: tuple[str, ...] = ()
    events: tuple[EventKind, ...] = ()
    conditions: tuple[Condition, ...] = ()
    delay_s: float = 0.0
    idle_delay_s: float = 0.0
    blind: bool = False

    @property
    def causes(self) -> tuple[str, ...]:
        """Names of everything that raises it."""
        return (*self.interlocks, *self.events, *self.conditions)


_H, _M, _L = Priority.HIGH, Priority.MEDIUM, Priority.LOW
_NOTE, _E = "clinical note 6.2, ", "engineering default"

ALARMS: tuple[Alarm, ...] = (
    # Nobody guards the wand.
    Alarm("daemon_stalled", _NOTE + "A13", "the daemon did not keep up with the wand", _H, _M, Latch.TREATING,
          "the daemon keeps its pace again", ("tick_overruns",), (EventKind.LOOP_STALLED,), blind=True),
    Alarm("daemon_restarted", _NOTE + "A13", "the daemon ended in the middle of a session", _H, _H, Latch.YES,
          "look at the skin; the session is over", conditions=(Condition.INTERRUPTED,)),
    Alarm("link_lost", _NOTE + "A12", "the wand does not answer", _H, _M, Latch.TREATING, "the wand answers again",
          ("link_lost", "boot_id"), idle_delay_s=3.0, blind=True),
    Alarm("not_guarded", _E, "the wand is read only: nothing here can stop it", _H, _M, Latch.TREATING,
          "a wand this daemon may order", ("identity", "capability", "simulated", "lease_proof", "occupied"),
          conditions=(Condition.RATE_TOO_LOW,), idle_delay_s=1.0, blind=True),
    Alarm("stop_unconfirmed", _E, "a stop was not seen carried out: cut the wand's supply", _H, _H, Latch.YES,
          "the wand is seen at rest", events=(EventKind.STOP_UNCONFIRMED,)),
    # The skin.
    Alarm("skin_too_cold", _NOTE + "A01", "skin too cold: lift the wand and look at the skin", _H, _H, Latch.YES,
          "the skin is warmer than its stop limit", ("skin_stop",)),
    Alarm("skin_frozen", _NOTE + "A03", "the skin may have frozen: lift the wand, do not rub it", _H, _H, Latch.YES,
          "the skin warms without another jump", ("freeze_signature",)),
    Alarm("skin_cold", _NOTE + "A02", "skin or what is under it near its limit: lift the wand", _M, _M, Latch.NO,
          "skin and fat boundary are warmer than their warning limits", ("skin_warn", "fat_boundary")),
    # The plate and its drive.
    Alarm("plate_too_cold", _NOTE + "A04", "plate too cold: lift the wand", _H, _H, Latch.YES,
          "the plate is back at its setpoint and over its floor", ("plate_under_floor", "plate_under_setpoint")),
    Alarm("plate_too_warm", _NOTE + "A05", "plate too warm: lift the wand", _H, _H, Latch.YES,
          "the plate is under its ceiling", ("plate_over_ceiling",)),
    Alarm("plate_warm", _NOTE + "A05", "plate warm", _M, _M, Latch.NO, "the plate is under its warning limit",
          ("plate_warm",)),
    Alarm("sensor_fault", _NOTE + "A08", "a sensor cannot be believed: lift the wand", _H, _M, Latch.YES,
          "the sensors are plausible and agree", ("sensor_invalid", "channels_apart", "plate_jump", "plate_frozen",
          "plate_unheld", "plate_noise", "residual", "sink_sensor")),
    Alarm("contact_unclear", _NOTE + "A08", "contact sensor and infra-red disagree", _M, _M, Latch.NO,
          "both say the same of the skin", ("contact_contradicted",)),
    Alarm("drive_fault", _NOTE + "A11", "the drive does not do what it was told: lift the wand", _H, _H, Latch.YES,
          "drive current and plate follow the orders", ("drive_mismatch", "drive_while_off", "drive_idle",
          "no_response", "wrong_way", "setpoint_mismatch")),
    Alarm("sink_too_hot", _NOTE + "A09", "sink too hot", _H, _H, Latch.YES, "the sink is under its trip limit",
          ("sink_trip",)),
    Alarm("sink_warm", _NOTE + "A09", "sink warm", _L, _L, Latch.NO, "the sink is under its warning limit",
          ("sink_warm",)),
    Alarm("fan_stopped", _NOTE + "A10", "the fan stands still", _H, _M, Latch.YES, "the fan turns", ("fan",)),
    # The wand's own word, and others who order it.
    Alarm("wand_fault", _NOTE + "A11", "the wand tripped, or broke a rule of its lease", _H, _M, Latch.YES,
          "the wand shows no trip and keeps its lease", ("sequence_stopped", "lease_mismatch", "wand_clock",
          "order_refused", "wand_tripped")),
    Alarm("second_master", "hazard H19", "something else orders this wand", _H, _M, Latch.YES,
          "nothing but this daemon orders the wand", ("second_master", "token")),
    # The dose.
    Alarm("exposure_used", _NOTE + "A07", "the cold this zone may have is used up", _M, _M, Latch.YES,
          "another zone, or another day", ("zone_below_15", "zone_below_10", "zone_below_4", "zone_d10", "zone_day")),
    Alarm("time_used", _NOTE + "A06", "a time limit is reached: lift the wand", _M, _M, Latch.NO,
          "the wand is lifted, or the session over", ("static_dwell", "step_contact", "zone_contact", "session_contact",
          "day_contact")),
    Alarm("time_near", _NOTE + "A06", "four fifths of a time limit are used", _L, _L, Latch.NO,
          "the session is over", conditions=(Condition.NEAR_LIMIT,)),
    Alarm("dose_unknown", _NOTE + "A18", "the exposure store cannot be trusted", _M, _M, Latch.YES,
          "service has set the store aside", ("dose_unknown",)),
    Alarm("calibration", _NOTE + "A18", "the wand's calibration has expired or is unknown", _M, _M, Latch.YES,
          "a wand that is calibrated", ("calibration",)),
    # The hand.
    Alarm("estop", _NOTE + "A14", "e-stop pressed", _M, _M, Latch.YES, "the e-stop is released", ("estop",)),
    Alarm("hand", _NOTE + "A14", "the hand keeps it from cooling", _L, _L, Latch.NO,
          "trigger held, tip fitted, plate off the skin while it cools down", ("trigger", "tip", "contact_in_precool")),
    Alarm("not_ready", _E, "not ready to start", _L, _L, Latch.NO, "skin, plate and day allow a treatment",
          ("baseline_skin", "plate_at_rest", "retreat_time", "retreat_skin", "day_sessions")),
    # The computer.
    Alarm("slow", _NOTE + "A13", "replies or ticks come late", _L, _L, Latch.NO, "they come in time",
          ("tick_overrun", "stale")),
    Alarm("records", _NOTE + "A17", "records cannot be written", _L, _L, Latch.NO, "the disk can be written",
          ("ledger_late", "ledger_failing"), conditions=(Condition.ALARM_LOG_FAILING, Condition.DISK_LOW)),
    Alarm("alarm_log_lost", _NOTE + "A17", "what was not acknowledged before is not known", _M, _M, Latch.YES,
          "somebody has looked", conditions=(Condition.ALARM_LOG_LOST,)),
    Alarm("clock_stepped", _NOTE + "A17", "the wall clock was set by more than 2 s", _L, _L, Latch.NO,
          "it goes on evenly", conditions=(Condition.CLOCK_STEPPED,)),
    Alarm("broker_lost", _NOTE + "A16", "no telemetry: the broker is not reached", _L, _L, Latch.NO,
          "the broker is reached", conditions=(Condition.BROKER_LOST,), delay_s=10.0, idle_delay_s=10.0),
)  # fmt: skip
"""All rows; among equal priorities the earlier in time is shown first."""

UNLISTED = Alarm(
    "unlisted", _E, "an interlock without a row in the alarm table", _H, _H, Latch.YES, "the interlock is safe"
)
"""Stands in for a row that is missing, so that its alarm is too loud and not silent; a test keeps the table whole."""

_TOLD = "told to whoever asked, or a step of a session that goes as it should"
_INTERLOCK = "the interlock behind it is the alarm"

NO_ALARM: Mapping[EventKind, str] = MappingProxyType(
    {
        EventKind.DAEMON_STARTED: _TOLD,
        EventKind.DAEMON_STOPPING: "`offline` on MQTT and NOT MONITORING in every watcher follow at once",
        EventKind.LINK_UP: _TOLD,
        EventKind.LINK_DOWN: _INTERLOCK,
        EventKind.WAND_CLAIMED: _TOLD,
        EventKind.WAND_MONITORED_ONLY: _INTERLOCK,
        EventKind.SESSION_STARTED: _TOLD,
        EventKind.SESSION_REFUSED: _TOLD,
        EventKind.SESSION_STATE: _TOLD,
        EventKind.SESSION_ENDED: _INTERLOCK + ", or a person stopped; after a crash it is `interrupted`",
        EventKind.STEP_STARTED: _TOLD,
        EventKind.STEP_FINISHED: _TOLD,
        EventKind.PROOF_PASSED: _TOLD,
        EventKind.PROOF_FAILED: _INTERLOCK,
        EventKind.PERMIT_WITHDRAWN: _INTERLOCK,
        EventKind.PERMIT_GIVEN: _TOLD,
        EventKind.INTERLOCK_ACTIVE: _INTERLOCK,
        EventKind.INTERLOCK_CLEARED: _INTERLOCK,
        EventKind.LOCKOUT: _INTERLOCK,
        EventKind.LOCKOUT_CLEARED: "a person has reset: what is past is acknowledged by it",
        EventKind.RESET_SENT: _TOLD,
        EventKind.RESET_REFUSED: _TOLD,
        EventKind.STOP_COMMANDED: _TOLD,
        EventKind.STOP_CONFIRMED: _TOLD,
        EventKind.ORDER_REFUSED: _INTERLOCK,
        EventKind.ALARM_RAISED: "tells of an alarm",
        EventKind.ALARM_CONDITION_ENDED: "tells of an alarm",
        EventKind.ALARM_OVER: "tells of an alarm",
        EventKind.ALARM_ACKNOWLEDGED: "tells of an alarm",
        EventKind.AUDIO_PAUSED: "tells of an alarm",
        EventKind.AUDIO_RESUMED: "tells of an alarm",
        EventKind.ALARM_REFUSED: _TOLD,
    }
)
"""Events that raise no alarm of their own, and why."""

BY_CAUSE: Mapping[str, Alarm] = MappingProxyType({cause: alarm for alarm in ALARMS for cause in alarm.causes})
"""The row of every cause."""
RAISING: frozenset[EventKind] = frozenset(kind for alarm in ALARMS for kind in alarm.events)
"""Events that raise an alarm."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """How a priority is signalled (clinical note 6.1).

    Args:
        colour: Beside the word, never instead of it.
        flash_hz: Flashes a second; 0 steady.
        pulses: Pulses of one burst.
        repeat_s: From the start of a burst to the next, s; 0 once an occurrence.
    """

    colour: str
    flash_hz: float
    pulses: int
    repeat_s: float


PATTERNS: Mapping[Priority, Pattern] = MappingProxyType(
    {
        Priority.HIGH: Pattern("red", 2.5, 10, 5.0),
        Priority.MEDIUM: Pattern("yellow", 0.5, 3, 10.0),
        Priority.LOW: Pattern("cyan", 0.0, 1, 0.0),
    }
)
