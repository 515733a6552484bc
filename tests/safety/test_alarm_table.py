"""The alarm table: whole in both directions, and row by row what the clinical note asks for."""

import pytest

from cryodevice.safety.alarm_table import (
    ALARMS,
    BY_CAUSE,
    NO_ALARM,
    PATTERNS,
    RAISING,
    UNLISTED,
    Alarm,
    Condition,
    Latch,
    Priority,
)
from cryodevice.safety.alarms import PAUSE_S, SOUNDS_AGAIN_S
from cryodevice.safety.events import EventKind
from cryodevice.safety.interlocks import TABLE

H, M, L = Priority.HIGH, Priority.MEDIUM, Priority.LOW
INTERLOCKS = {row.id: row for row in TABLE}
# Row of the clinical note, alarm, what raises it, priority in a session, otherwise, whether it latches.
NOTE = [
    ("A01", "skin_too_cold", "skin_stop", H, H, Latch.YES),
    ("A02", "skin_cold", "skin_warn", M, M, Latch.NO),
    ("A03", "skin_frozen", "freeze_signature", H, H, Latch.YES),
    ("A04", "plate_too_cold", "plate_under_setpoint", H, H, Latch.YES),
    ("A04", "plate_too_cold", "plate_under_floor", H, H, Latch.YES),
    ("A05", "plate_too_warm", "plate_over_ceiling", H, H, Latch.YES),
    ("A05", "plate_warm", "plate_warm", M, M, Latch.NO),
    ("A06", "time_near", "near_limit", L, L, Latch.NO),
    ("A06", "time_used", "step_contact", M, M, Latch.NO),
    ("A06", "time_used", "zone_contact", M, M, Latch.NO),
    ("A06", "time_used", "session_contact", M, M, Latch.NO),
    ("A07", "exposure_used", "zone_d10", M, M, Latch.YES),
    ("A07", "exposure_used", "zone_below_10", M, M, Latch.YES),
    ("A08", "sensor_fault", "sensor_invalid", H, M, Latch.YES),
    ("A08", "sensor_fault", "plate_frozen", H, M, Latch.YES),
    ("A08", "sensor_fault", "channels_apart", H, M, Latch.YES),
    ("A09", "sink_warm", "sink_warm", L, L, Latch.NO),
    ("A09", "sink_too_hot", "sink_trip", H, H, Latch.YES),
    ("A10", "fan_stopped", "fan", H, M, Latch.YES),
    ("A11", "drive_fault", "drive_mismatch", H, H, Latch.YES),
    ("A11", "drive_fault", "drive_while_off", H, H, Latch.YES),
    ("A12", "link_lost", "link_lost", H, M, Latch.TREATING),
    ("A13", "daemon_stalled", "tick_overruns", H, M, Latch.TREATING),
    ("A13", "daemon_stalled", "loop_stalled", H, M, Latch.TREATING),
    ("A13", "daemon_restarted", "interrupted", H, H, Latch.YES),
    ("A14", "estop", "estop", M, M, Latch.YES),
    ("A14", "hand", "trigger", L, L, Latch.NO),
    ("A16", "broker_lost", "broker_lost", L, L, Latch.NO),
    ("A17", "clock_stepped", "clock_stepped", L, L, Latch.NO),
    ("A17", "records", "ledger_failing", L, L, Latch.NO),
    ("A17", "records", "disk_low", L, L, Latch.NO),
    ("A18", "calibration", "calibration", M, M, Latch.YES),
]


@pytest.mark.parametrize("row", NOTE, ids=lambda row: f"{row[0]}-{row[2]}")
def test_each_row_of_the_note_has_its_alarm(row) -> None:
    reference, alarm_id, cause, treating, idle, latch = row
    alarm = BY_CAUSE[cause]
    assert (alarm.id, alarm.treating, alarm.idle, alarm.latch) == (alarm_id, treating, idle, latch)
    assert alarm.reference == f"clinical note 6.2, {reference}"


def test_the_delays_of_the_note_are_kept() -> None:
    """What comes on top of the dwell of the interlock leaves the whole within the note's delay, in a session."""
    for interlock, most_s in (
        ("skin_stop", 0.2),
        ("skin_warn", 0.5),
        ("plate_under_floor", 0.3),
        ("plate_under_setpoint", 0.3),
        ("plate_over_ceiling", 0.2),
        ("sensor_invalid", 0.3),
        ("sink_warm", 1.0),
        ("sink_trip", 1.0),
        ("fan", 2.0),
        ("freeze_signature", 0.0),
        ("drive_while_off", 0.2),
        ("drive_mismatch", 0.2),
        ("tick_overruns", 0.5),
        ("estop", 0.0),
    ):
        assert INTERLOCKS[interlock].dwell.value + BY_CAUSE[interlock].delay_s <= most_s, interlock
    assert INTERLOCKS["link_lost"].safe(None, None)[1] + BY_CAUSE["link_lost"].delay_s <= 0.5
    assert BY_CAUSE["broker_lost"].delay_s == BY_CAUSE["broker_lost"].idle_delay_s == 10.0


@pytest.mark.req("R-H20-2")
def test_no_interlock_is_without_an_alarm() -> None:
    missing = [row.id for row in TABLE if row.id not in BY_CAUSE]
    assert not missing, f"name {missing} in the interlocks of a row of cryodevice/safety/alarm_table.py"


def test_no_alarm_is_without_a_cause_and_no_cause_has_two() -> None:
    named = [cause for alarm in ALARMS for cause in alarm.causes]
    assert sorted(named) == sorted(set(named))
    assert all(alarm.causes for alarm in ALARMS)
    known = {*INTERLOCKS, *EventKind, *Condition}
    assert not set(named) - known, "an alarm names what there is not"
    assert set(Condition) <= set(named), "a condition without an alarm"
    assert len({alarm.id for alarm in ALARMS}) == len(ALARMS)


def test_only_events_named_in_a_row_raise() -> None:
    assert {kind for alarm in ALARMS for kind in alarm.events} == RAISING
    assert EventKind.ORDER_REFUSED not in RAISING, "the interlock of the same name does"


def test_every_event_raises_an_alarm_or_says_why_it_does_not() -> None:
    assert RAISING | set(NO_ALARM) == set(EventKind)
    assert not RAISING & set(NO_ALARM)
    assert all(NO_ALARM.values())


@pytest.mark.parametrize("alarm", [*ALARMS, UNLISTED], ids=lambda alarm: alarm.id)
def test_a_row_holds_together(alarm: Alarm) -> None:
    assert alarm.treating >= alarm.idle, "a session makes nothing less urgent"
    assert 0.0 <= alarm.delay_s <= alarm.idle_delay_s
    assert alarm.says
    assert alarm.clears
    if Priority.HIGH in (alarm.treating, alarm.idle):
        assert alarm.latch is not Latch.NO, "nobody may miss a high alarm by looking away"
    if alarm.events:
        assert alarm.latch is not Latch.NO, "an event is over at once"


def test_what_locks_is_never_low_and_what_stops_never_unseen() -> None:
    for row in TABLE:
        if row.action.name == "LOCKOUT":
            assert BY_CAUSE[row.id].treating >= M, row.id
            assert BY_CAUSE[row.id].latch is Latch.YES, row.id


@pytest.mark.req("R-H20-2")
def test_nobody_guards_the_wand_is_an_alarm() -> None:
    blind = {cause for alarm in ALARMS if alarm.blind for cause in alarm.causes}
    assert blind >= {"link_lost", "loop_stalled", "identity", "capability", "simulated", "lease_proof", "occupied"}
    assert "rate_too_low" in blind
    assert all(BY_CAUSE[cause].treating is H for cause in blind)


def test_signals_are_those_of_the_note() -> None:
    high, medium, low = PATTERNS[H], PATTERNS[M], PATTERNS[L]
    assert (high.colour, medium.colour, low.colour) == ("red", "yellow", "cyan")
    assert 1.4 <= high.flash_hz <= 2.8
    assert 0.4 <= medium.flash_hz <= 0.8
    assert low.flash_hz == 0.0
    assert (high.pulses, medium.pulses) == (10, 3)
    assert low.pulses in (1, 2)
    assert 2.5 <= high.repeat_s <= 15.0
    assert 2.5 <= medium.repeat_s <= 30.0
    assert low.repeat_s == 0.0
    assert PAUSE_S <= 120.0
    assert high.repeat_s <= SOUNDS_AGAIN_S, "a whole burst of a high alarm is heard between two pauses"
