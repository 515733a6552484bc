"""The interlock table: one row a rule, all of them data. ``judge`` evaluates it; nothing else decides about cooling.

A row is safe while its fact lies in a closed range, so an unknown (NaN) fact is never safe. Order matters twice: of
rows that act in the same tick the strongest wins, and among equals the first, so specific causes stand before general.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from cryodevice.safety.limits import (
    BASELINE_SKIN_DEGC,
    CALIBRATED_FOR_DAYS,
    FAN_STILL_S,
    FREEZE_RISEN_K,
    IDLE_S,
    PLATE_NOISE_K,
    PLATE_SAME_S,
    PLATE_UNDER_FLOOR_K,
    PLATE_UNDER_SETPOINT_K,
    RESIDUAL_K,
    REST_APART_K,
    RETREAT_S,
    RETREAT_SKIN_DEGC,
    RISEN_K,
    UNANSWERED_S,
    UNHELD_S,
    WAND_CLOCK_PCT,
    Limits,
    Zone,
    static_hold_s,
)
from cryodevice.safety.phases import ALWAYS, COOLING, DRIVE_OFF, TREATING, SessionState
from cryodevice.safety.verdict import Action, Clear

INF = math.inf


class Dwell(Enum):
    """How long a condition must last before it acts, s (docs/architecture.md; reaction adds at most 250 ms)."""

    IMMEDIATE = 0.0
    FAST = 0.2
    SENSOR = 0.3
    HOLD = 0.5
    THERMAL = 1.0


SafeRange = Callable[[Limits, Zone], tuple[float, float]]


def _between(low: float, high: float) -> SafeRange:
    return lambda _limits, _zone: (low, high)


def _at_most(limit: str) -> SafeRange:
    return lambda limits, _zone: (-INF, getattr(limits, limit))


def _at_least(limit: str, less: float = 0.0) -> SafeRange:
    return lambda limits, _zone: (getattr(limits, limit) - less, INF)


_TRUE = _between(1.0, 1.0)
SETPOINT_ERROR_K = 0.015
"""A setpoint crosses the wire in hundredths of a degree: more than one of them off is another setpoint, K (engineering default)."""


@dataclass(frozen=True, slots=True)
class Interlock:
    """One row.

    Args:
        id: Stable name.
        hazard: Row of the hazard table it guards against.
        states: Session states it applies in.
        fact: Name of the fact it looks at (``facts.Facts``).
        safe: Closed range in which the fact is safe, by limits and zone.
        unit: Unit of fact and range; empty for yes (1) and no (0).
        dwell: How long it must be unsafe before it acts.
        action: What it does.
        clear: What lets go of it once the fact is safe again.
        hint: What a person does about it.
        source: Where the rule or its number comes from.
        needs_reading: It judges a fresh reading; while there is none ``link_lost`` stands in for it.
    """

    id: str
    hazard: str
    states: frozenset[SessionState]
    fact: str
    safe: SafeRange
    unit: str
    dwell: Dwell
    action: Action
    clear: Clear
    hint: str
    source: str
    needs_reading: bool = True


_ON_SKIN = frozenset({SessionState.APPLYING, SessionState.LIFTED})
"""Lifted too: contact that is believed lasts longer than its flag."""
_PRECOOL = frozenset({SessionState.PRECOOL})
_READY = frozenset({SessionState.READY})
_LEASED = TREATING | {SessionState.STOPPED}
_D, _S, _E = "architecture 6", "engineering default", "clinical note 6.2"

TABLE: tuple[Interlock, ...] = (
    # Who is at the other end, and is it ours?
    Interlock("identity", "H27", ALWAYS, "identity_ok", _TRUE, "", Dwell.IMMEDIATE, Action.STOP, Clear.IDLE,
              "connect a plate wand of wire version 1 whose limits meet the settings", "architecture 4", needs_reading=False),
    Interlock("link_lost", "H05", ALWAYS, "reply_age_s", _between(0.0, 0.3), "s", Dwell.IMMEDIATE, Action.STOP,
              Clear.IDLE, "check cable and power of the wand", "architecture 5", needs_reading=False),
    Interlock("capability", "H27", ALWAYS, "capable", _TRUE, "", Dwell.IMMEDIATE, Action.STOP, Clear.IDLE,
              "this wand lacks contact, trigger, fan tachometer or cut-off relay and is only monitored", "architecture 4",
              needs_reading=False),
    Interlock("simulated", "H18", ALWAYS, "simulated_ok", _TRUE, "", Dwell.IMMEDIATE, Action.STOP, Clear.IDLE,
              "this is a simulated wand: connect a real one, or set device.allow_simulated = true", _D,
              needs_reading=False),
    Interlock("lease_proof", "H05", ALWAYS, "proven", _TRUE, "", Dwell.IMMEDIATE, Action.STOP, Clear.SERVICE,
              "the wand did not let go by itself in the proof: have it serviced", "architecture 5", needs_reading=False),
    Interlock("boot_id", "H05", ALWAYS, "boot_same", _TRUE, "", Dwell.IMMEDIATE, Action.STOP, Clear.IDLE,
              "the wand restarted: check its supply, then start a new session", "architecture 5"),
    Interlock("sequence_stopped", "H06", ALWAYS, "sequence_age_s", _between(0.0, 0.045), "s", Dwell.IMMEDIATE,
              Action.LOCKOUT, Clear.ACKNOWLEDGE, "the wand answers but has stopped sampling: switch it off and on",
              "architecture 5"),
    Interlock("second_master", "H19", ALWAYS, "foreign_orders", _between(0.0, 0.0), "orders", Dwell.IMMEDIATE,
              Action.LOCKOUT, Clear.ACKNOWLEDGE, "something else orders this wand: disconnect it", "architecture 4"),
    Interlock("occupied", "H19", ALWAYS, "unoccupied", _TRUE, "", Dwell.IMMEDIATE, Action.HOLD, Clear.ITSELF,
              "another program orders this wand, which has one master: end it, here or on another computer", "architecture 4"),
    Interlock("wand_clock", "H05", ALWAYS, "wand_clock_pct", _between(-WAND_CLOCK_PCT, WAND_CLOCK_PCT), "%", Dwell.IMMEDIATE,
              Action.STOP, Clear.IDLE, "the wand's clock and this computer's disagree, and its lease goes by it: have it serviced",
              "architecture 6; " + _S),
    Interlock("lease_mismatch", "H05", ALWAYS, "lease_error_ms", _between(-30.0, 30.0), "ms", Dwell.IMMEDIATE,
              Action.LOCKOUT, Clear.ACKNOWLEDGE, "the wand counts its lease wrongly: have it serviced", "architecture 4"),
    Interlock("setpoint_mismatch", "H03", COOLING, "setpoint_error_k", _between(-SETPOINT_ERROR_K, SETPOINT_ERROR_K), "K",
              Dwell.IMMEDIATE, Action.STOP, Clear.IDLE, "the wand put another setpoint in force than it was told: have it serviced",
              "fault matrix P08; " + _S),
    Interlock("token", "H19", _LEASED, "token_same", _TRUE, "", Dwell.IMMEDIATE, Action.STOP, Clear.IDLE,
              "another session token is in force: disconnect the other master", "architecture 4"),
    Interlock("tick_overrun", "H06", COOLING, "late_periods", _between(-INF, 2.0), "periods", Dwell.IMMEDIATE,
              Action.HOLD, Clear.ITSELF, "this computer is too busy", "architecture 5", needs_reading=False),
    Interlock("tick_overruns", "H06", TREATING, "overruns", _between(0.0, 2.0), "in 10 s", Dwell.IMMEDIATE, Action.STOP,
              Clear.IDLE, "this computer is too busy: close other programs", "architecture 5", needs_reading=False),
    Interlock("stale", "H06", COOLING, "reply_age_s", _between(0.0, 0.125), "s", Dwell.IMMEDIATE, Action.HOLD,
              Clear.ITSELF, "replies are missing: check the cable", "one miss: the lease runs on, architecture 5",
              needs_reading=False),
    # Can the daemon be trusted right now?
    Interlock("dose_unknown", "H10", ALWAYS, "dose_known", _TRUE, "", Dwell.IMMEDIATE, Action.LOCKOUT, Clear.SERVICE,
              "the exposure store cannot be trusted: a service person looks at it, stops the daemon, sets it aside with"
              " 'cryodevice records quarantine' and starts the daemon again", _D,
              needs_reading=False),
    Interlock("ledger_late", "H23", COOLING, "ledger_age_s", _between(-INF, 2.0), "s", Dwell.IMMEDIATE, Action.HOLD,
              Clear.ITSELF, "exposure cannot be written: check the disk of the state directory", _D,
              needs_reading=False),
    Interlock("ledger_failing", "H23", DRIVE_OFF, "ledger_writes", _TRUE, "", Dwell.IMMEDIATE, Action.HOLD, Clear.ITSELF,
              "neither exposure nor a lockout can be written now: check the disk of the state directory", _D,
              needs_reading=False),
    # The hand.
    Interlock("estop", "H04", ALWAYS, "estop_released", _TRUE, "", Dwell.IMMEDIATE, Action.LOCKOUT, Clear.ACKNOWLEDGE,
              "release the e-stop, then reset", _E),
    Interlock("tip", "H25", TREATING, "tip_fitted", _TRUE, "", Dwell.IMMEDIATE, Action.STOP, Clear.IDLE,
              "fit the tip", "architecture 5"),
    Interlock("trigger", "H04", COOLING, "trigger_held", _TRUE, "", Dwell.IMMEDIATE, Action.HOLD, Clear.ITSELF,
              "hold the trigger to cool", "clinical note 5.5, hold to run"),
    Interlock("contact_in_precool", "H01", _PRECOOL, "off_skin", _TRUE, "", Dwell.IMMEDIATE, Action.HOLD, Clear.ITSELF,
              "lift the plate off the skin until it is ready", _D),
    Interlock("contact_contradicted", "H04", COOLING, "contact_agrees", _TRUE, "", Dwell.HOLD, Action.HOLD, Clear.ITSELF,
              "contact sensor and infra-red disagree: lift the wand until infra-red sees skin; if it stays, have it serviced",
              _D),
    # The plate.
    Interlock("sensor_invalid", "H02", ALWAYS, "plate_sensors_good", _TRUE, "", Dwell.SENSOR, Action.LOCKOUT,
              Clear.ACKNOWLEDGE, "a plate sensor is open, short or out of range: have it serviced", _E),
    Interlock("plate_under_floor", "H01", ALWAYS, "plate_cold_degc", _at_least("plate_floor_degc", PLATE_UNDER_FLOOR_K),
              "degC", Dwell.SENSOR, Action.LOCKOUT, Clear.ACKNOWLEDGE, "lift the wand; the plate is colder than allowed",
              _E),
    Interlock("plate_under_setpoint", "H03", COOLING, "plate_over_setpoint_k", _between(-PLATE_UNDER_SETPOINT_K, INF),
              "K", Dwell.SENSOR, Action.LOCKOUT, Clear.ACKNOWLEDGE, "lift the wand; it cools more than it was told", _E),
    Interlock("plate_over_ceiling", "H07", ALWAYS, "plate_warm_degc", _at_most("plate_ceiling_degc"), "degC", Dwell.FAST,
              Action.LOCKOUT, Clear.ACKNOWLEDGE, "lift the wand; the plate is too warm", _E),
    Interlock("plate_warm", "H07", ALWAYS, "plate_warm_degc", _at_most("plate_warn_degc"), "degC", Dwell.FAST,
              Action.WARN, Clear.ITSELF, "the plate is warming up: check sink and fan", _E),
    Interlock("channels_apart", "H02", ALWAYS, "channels_apart_k", _at_most("channels_apart_k"), "K", Dwell.HOLD,
              Action.LOCKOUT, Clear.ACKNOWLEDGE, "the plate sensors disagree: have them serviced", _E),
    Interlock("plate_jump", "H02", ALWAYS, "plate_jump_k", _between(0.0, 0.0), "K", Dwell.SENSOR, Action.LOCKOUT,
              Clear.ACKNOWLEDGE, "a plate sensor jumped further than metal can: have it serviced", "fault matrix S06, S07; " + _S),
    Interlock("plate_frozen", "H02", COOLING, "plate_same_s", _between(0.0, PLATE_SAME_S), "s", Dwell.IMMEDIATE, Action.LOCKOUT,
              Clear.ACKNOWLEDGE, "lift the wand; a plate sensor repeats itself: have it serviced", "fault matrix S03; " + _S),
    Interlock("no_response", "H03", COOLING, "unanswered_s", _between(0.0, UNANSWERED_S), "s", Dwell.IMMEDIATE, Action.LOCKOUT,
              Clear.ACKNOWLEDGE, "the plate is driven and does not get colder: have the wand serviced", "fault matrix S09; " + _S),
    Interlock("plate_unheld", "H02", _ON_SKIN, "unheld_s", _between(0.0, UNHELD_S), "s", Dwell.IMMEDIATE, Action.STOP, Clear.IDLE,
              "lift the wand; it is driven hard and its plate shows no answer: sink too warm, or sensors loose: have it checked",
              "fault matrix S09; " + _S),
    Interlock("residual", "H02", COOLING, "residual_k", _between(-INF, RESIDUAL_K), "K", Dwell.SENSOR, Action.LOCKOUT, Clear.ACKNOWLEDGE,
              "lift the wand; by its drive the plate is colder than both its sensors say: have it serviced", "fault matrix S07; " + _S),
    Interlock("wrong_way", "H07", COOLING, "risen_k", _between(0.0, RISEN_K), "K", Dwell.THERMAL, Action.LOCKOUT,
              Clear.ACKNOWLEDGE, "lift the wand; it is driven to cool and warms: have it serviced", "fault matrix A03; " + _S),
    Interlock("plate_noise", "H02", ALWAYS, "plate_noise_k", _between(0.0, PLATE_NOISE_K), "K", Dwell.THERMAL, Action.LOCKOUT,
              Clear.ACKNOWLEDGE, "a plate sensor jumps to and fro: its contact is loose, have it serviced", "fault matrix S05, S06; " + _S),
    # The drive.
    Interlock("drive_mismatch", "H03", COOLING, "drive_share", _between(-0.05, 1.15), "of largest", Dwell.FAST, Action.LOCKOUT,
              Clear.ACKNOWLEDGE, "the drive current is not one that cooling gives: have the wand serviced", "clinical note 6.2, A11; " + _S),
    Interlock("drive_idle", "H08", COOLING, "idle_s", _between(0.0, IDLE_S), "s", Dwell.IMMEDIATE, Action.LOCKOUT, Clear.ACKNOWLEDGE,
              "told to cool, and no current flows: thermoelectric, relay or current sensor is broken: have the wand serviced",
              "fault matrix A02; " + _S),
    Interlock("drive_while_off", "H03", DRIVE_OFF, "off_current_ma", _at_most("off_current_ma"), "mA", Dwell.FAST,
              Action.LOCKOUT, Clear.SERVICE, "lift the wand and cut its supply: it is driven while told off", _E),
    Interlock("sink_sensor", "H08", ALWAYS, "sink_good", _TRUE, "", Dwell.SENSOR, Action.LOCKOUT, Clear.ACKNOWLEDGE,
              "the sink sensor is lost: have it serviced", _E),
    Interlock("sink_trip", "H08", ALWAYS, "sink_degc", _at_most("sink_trip_degc"), "degC", Dwell.THERMAL, Action.LOCKOUT,
              Clear.ACKNOWLEDGE, "let the wand cool down; check fan and air way", _E),
    Interlock("sink_warm", "H08", ALWAYS, "sink_degc", _at_most("sink_warn_degc"), "degC", Dwell.THERMAL, Action.WARN,
              Clear.ITSELF, "the sink is warm: check fan and air way", _E),
    Interlock("fan", "H08", COOLING, "fan_still_s", _between(0.0, FAN_STILL_S), "s", Dwell.IMMEDIATE, Action.LOCKOUT, Clear.ACKNOWLEDGE,
              "the fan stands still: clear it or have it serviced", _E),
    # The skin.
    Interlock("freeze_signature", "H02", TREATING, "freeze_risen_k", _between(0.0, FREEZE_RISEN_K), "K", Dwell.IMMEDIATE, Action.LOCKOUT,
              Clear.ACKNOWLEDGE, "the skin may have frozen: do not press or rub it, let it warm in air and have it looked at",
              "alarm A03"),
    Interlock("skin_stop", "H01", TREATING, "skin_degc", _at_least("skin_stop_degc"), "degC", Dwell.FAST, Action.LOCKOUT,
              Clear.ACKNOWLEDGE, "lift the wand and look at the skin", "cleared vapour wand K203661; alarm A01"),
    Interlock("skin_warn", "H01", TREATING, "skin_degc", _at_least("skin_warn_degc"), "degC", Dwell.HOLD, Action.HOLD,
              Clear.ITSELF, "the skin is near its limit: lift the wand", "cleared vapour wand K203661; alarm A02"),
    Interlock("baseline_skin", "H12", _READY, "baseline_skin_degc", _between(*BASELINE_SKIN_DEGC), "degC",
              Dwell.IMMEDIATE, Action.HOLD, Clear.ITSELF, "point the wand at the skin; it must be 28 to 37 degC to start",
              "clinical note 4.3"),
    Interlock("calibration", "H22", _READY, "calibration_age_days", _between(-1.0, CALIBRATED_FOR_DAYS), "d", Dwell.IMMEDIATE,
              Action.STOP, Clear.IDLE, "the wand's calibration has expired, or it names none: have it calibrated",
              "hazard H22; " + _S),
    Interlock("plate_at_rest", "H02", _READY, "rest_apart_k", _between(0.0, REST_APART_K), "K", Dwell.HOLD, Action.HOLD,
              Clear.ITSELF, "plate and sink must agree before it is cooled: leave it off the skin, up to 3 minutes after a treatment; if"
              " they do not then, have the wand calibrated", "fault matrix S07, S16; " + _S),
    Interlock("retreat_time", "H10", _READY, "since_treated_s", _between(RETREAT_S, INF), "s", Dwell.IMMEDIATE, Action.HOLD,
              Clear.ITSELF, "this zone was treated a moment ago: wait 5 minutes, or treat another one", "clinical note D13"),
    Interlock("retreat_skin", "H10", _READY, "rewarmed_degc", _between(RETREAT_SKIN_DEGC, INF), "degC", Dwell.IMMEDIATE,
              Action.HOLD, Clear.ITSELF, "this zone is still cold inside: wait, or treat another one", "clinical note D13"),
    # The dose.
    Interlock("static_dwell", "H04", _ON_SKIN, "static_dwell_s",
              lambda limits, zone: (-INF, static_hold_s(limits, zone)), "s", Dwell.IMMEDIATE, Action.HOLD, Clear.ITSELF,
              "move on, or lift the wand for 10 s; if it does not see the lift, let go of the trigger", "D4 of the clinical note"),
    Interlock("step_contact", "H09", _ON_SKIN, "step_contact_s", _at_most("step_contact_s"), "s", Dwell.IMMEDIATE,
              Action.STOP, Clear.IDLE, "this step has had its contact time", _S),
    Interlock("zone_contact", "H09", COOLING, "zone_contact_s", _at_most("zone_contact_s"), "s", Dwell.IMMEDIATE,
              Action.STOP, Clear.IDLE, "this zone has had its contact time", _S),
    Interlock("zone_below_15", "H09", COOLING, "zone_below_15_s", _at_most("zone_below_15_s"), "s", Dwell.IMMEDIATE,
              Action.STOP, Clear.IDLE, "this zone has been cold long enough", _S),
    Interlock("zone_below_10", "H09", COOLING, "zone_below_10_s", _at_most("zone_below_10_s"), "s", Dwell.IMMEDIATE,
              Action.STOP, Clear.IDLE, "this zone has been cold long enough", "D5 of the clinical note"),
    Interlock("zone_below_4", "H01", TREATING, "zone_below_4_s", _at_most("zone_below_4_s"), "s", Dwell.IMMEDIATE,
              Action.STOP, Clear.IDLE, "this zone has been too cold", _S),
    Interlock("zone_d10", "H09", COOLING, "zone_d10_degc_s", _at_most("zone_d10_degc_s"), "degC*s", Dwell.IMMEDIATE,
              Action.STOP, Clear.IDLE, "this zone's exposure index is used up", "clinical note 2.4, not validated"),
    Interlock("fat_boundary", "H09", COOLING, "fat_boundary_degc", _at_least("fat_boundary_degc"), "degC",
              Dwell.IMMEDIATE, Action.HOLD, Clear.ITSELF, "lift the wand and let the depth rewarm",
              "adipose lipid crystallises near 10 degC, D6 of the clinical note"),
    Interlock("session_contact", "H09", COOLING, "session_contact_s", _at_most("session_contact_s"), "s",
              Dwell.IMMEDIATE, Action.STOP, Clear.IDLE, "this session has had its contact time", _S),
    Interlock("day_contact", "H10", COOLING, "day_contact_s", _at_most("day_contact_s"), "s", Dwell.IMMEDIATE,
              Action.STOP, Clear.IDLE, "this day's contact time is used up", _S),
    Interlock("zone_day", "H10", COOLING, "zone_day_share", _between(0.0, 1.0), "share", Dwell.IMMEDIATE, Action.STOP,
              Clear.IDLE, "this zone's cold for today is used up", "twice the zone limits a day; " + _S),
    Interlock("day_sessions", "H10", _READY, "earlier_sessions",
              lambda limits, _zone: (0.0, limits.day_sessions - 1.0), "sessions", Dwell.IMMEDIATE, Action.STOP,
              Clear.IDLE, "this day's sessions are used up", _S),
    # What the wand itself says, after every more specific cause.
    Interlock("order_refused", "H27", TREATING, "orders_accepted", _TRUE, "", Dwell.IMMEDIATE, Action.STOP, Clear.IDLE,
              "the wand refused an order; see the event for its reason", "architecture 4"),
    Interlock("wand_tripped", "H02", ALWAYS, "wand_trip_code", _between(0.0, 0.0), "trip code", Dwell.IMMEDIATE, Action.LOCKOUT,
              Clear.ACKNOWLEDGE, "the wand's own cut-out acted: remove the cause, then reset", "architecture 2"),
)  # fmt: skip
"""All rows. A row out of this table is a rule out of force; the system tests show that each of them matters."""
