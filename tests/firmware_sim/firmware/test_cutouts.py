"""Every cut-out of the firmware with its debounce, on a board with exact readings."""

import math
from typing import Any

import pytest

from cryodevice.wire.codes import Capability, Fault, Flag, Refusal, State, Trip

THERMAL = [
    ({"plate_a_degc": 0.99}, Fault.PLATE_COLD, Trip.PLATE_COLD),
    ({"plate_b_degc": 0.99}, Fault.PLATE_COLD, Trip.PLATE_COLD),
    ({"plate_a_degc": 42.01}, Fault.PLATE_HOT, Trip.PLATE_HOT),
    ({"plate_b_degc": 42.01}, Fault.PLATE_HOT, Trip.PLATE_HOT),
    ({"plate_a_degc": 27.01}, Fault.CHANNELS_APART, Trip.CHANNELS_APART),
    ({"plate_b_degc": 27.01}, Fault.CHANNELS_APART, Trip.CHANNELS_APART),
    ({"sink_degc": 55.01}, Fault.SINK_HOT, Trip.SINK_HOT),
]
AT_ONCE = [
    ({"estop": True}, Fault.ESTOP, Trip.ESTOP),
    ({"plate_a_degc": None, "plate_a_fault": "open"}, Fault.PLATE_A_OPEN, Trip.PLATE_SENSOR),
    ({"plate_a_degc": None, "plate_a_fault": "short"}, Fault.PLATE_A_SHORT, Trip.PLATE_SENSOR),
    ({"plate_b_degc": None, "plate_b_fault": "open"}, Fault.PLATE_B_OPEN, Trip.PLATE_SENSOR),
    ({"plate_b_degc": None, "plate_b_fault": "short"}, Fault.PLATE_B_SHORT, Trip.PLATE_SENSOR),
    ({"plate_a_degc": None}, Fault.PLATE_A_OPEN, Trip.PLATE_SENSOR),
    ({"plate_a_degc": -40.01}, Fault.PLATE_A_OPEN, Trip.PLATE_SENSOR),
    ({"plate_a_degc": 85.01}, Fault.PLATE_A_SHORT, Trip.PLATE_SENSOR),
    ({"plate_b_degc": math.nan}, Fault.PLATE_B_OPEN, Trip.PLATE_SENSOR),
]
STATES = ["off", "armed", "cooling"]


def bring_to(stub: Any, state: Any) -> Any:
    if state == "cooling":
        stub.cooling(5)
        assert stub.board.drive_a > 0
    elif state == "armed":
        stub.host.status()
        assert stub.host.send() is Refusal.NONE


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("readings", "fault", "trip"), THERMAL, ids=str)
def test_a_thermal_row_trips_after_60_ms(stub: Any, state: Any, readings: Any, fault: Any, trip: Any) -> None:
    bring_to(stub, state)
    stub.board.show(**readings)
    for _ in range(3):
        stub.ticks(1)
        status = stub.host.status()
        assert status.faults & fault
        assert status.trip_code == Trip.NONE
        assert stub.board.relay_closed == (state != "off")
    stub.ticks(1)
    status = stub.host.status()
    assert (status.trip_code, status.state) == (trip, State.TRIPPED)
    assert status.flags & Flag.TRIP_LATCHED
    assert (stub.board.drive_a, stub.board.relay_closed) == (0.0, False)


@pytest.mark.parametrize(("readings", "fault", "trip"), THERMAL, ids=str)
def test_a_thermal_row_that_goes_away_in_time_starts_anew(stub: Any, readings: Any, fault: Any, trip: Any) -> None:
    for _ in range(3):
        stub.board.show(**readings)
        stub.ticks(3)
        stub.board.show(plate_a_degc=24.0, plate_b_degc=24.0, sink_degc=24.0)
        stub.ticks(1)
        assert not stub.host.status().faults & fault
    assert stub.firmware.cutouts.trip is Trip.NONE


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("readings", "fault", "trip"), AT_ONCE, ids=str)
def test_a_sensor_or_the_e_stop_trips_in_its_tick(stub: Any, state: Any, readings: Any, fault: Any, trip: Any) -> None:
    bring_to(stub, state)
    stub.board.show(**readings)
    stub.ticks(1)
    status = stub.host.status()
    assert status.faults & fault
    assert status.trip_code == trip
    assert (stub.board.drive_a, stub.board.relay_closed) == (0.0, False)


@pytest.mark.parametrize("current_ma", [4401, -4401])
def test_over_current_in_either_direction_trips_in_its_tick(stub: Any, current_ma: Any) -> None:
    stub.cooling(2)
    stub.board.current_ma = current_ma
    stub.ticks(1)
    assert stub.firmware.cutouts.trip is Trip.OVER_CURRENT
    assert stub.host.status().faults & Fault.OVER_CURRENT


def test_the_limits_themselves_are_safe(stub: Any) -> None:
    stub.board.show(plate_a_degc=1.0, plate_b_degc=4.0, sink_degc=55.0)
    stub.ticks(10)
    stub.board.show(plate_a_degc=42.0, plate_b_degc=39.0)
    stub.ticks(10)
    stub.cooling(2)
    stub.board.current_ma = 4400
    stub.cooling(2)
    assert stub.firmware.cutouts.trip is Trip.NONE


def test_the_first_cause_stays_and_later_ones_show_as_faults(stub: Any) -> None:
    stub.board.show(estop=True)
    stub.ticks(1)
    stub.board.show(estop=False, sink_degc=60.0)
    stub.ticks(10)
    status = stub.host.status()
    assert status.trip_code == Trip.ESTOP
    assert status.faults & Fault.SINK_HOT
    assert not status.faults & Fault.ESTOP
    assert stub.host.reset() is Refusal.RESET
    stub.board.show(sink_degc=40.0)
    stub.ticks(1)
    assert stub.host.reset() is Refusal.NONE


def test_one_lost_channel_leaves_the_other_to_be_judged(stub: Any) -> None:
    stub.board.show(plate_a_degc=None, plate_a_fault="open", plate_b_degc=0.5)
    stub.ticks(1)
    status = stub.host.status()
    assert status.faults == Fault.PLATE_A_OPEN | Fault.PLATE_COLD
    assert (status.plate_a_degc, status.plate_b_degc) == (None, 0.5)
    stub.board.show(plate_b_degc=None, plate_b_fault="open")
    stub.ticks(1)
    assert stub.host.status().faults == Fault.PLATE_A_OPEN | Fault.PLATE_B_OPEN


# --- slow sensors ---------------------------------------------------------------------------------------------------


def test_a_silent_sink_sensor_reads_its_last_value_for_two_periods_then_trips(stub: Any) -> None:
    stub.board.show(sink_degc=None)
    stub.ticks(9)
    assert stub.host.status().sink_degc == 24.0
    assert stub.firmware.cutouts.trip is Trip.NONE
    stub.ticks(1)
    status = stub.host.status()
    assert (status.sink_degc, status.trip_code) == (None, Trip.SINK_SENSOR)
    assert status.faults & Fault.SINK_SENSOR


def test_a_skin_sensor_under_contact_is_not_available_and_no_fault(stub: Any) -> None:
    stub.board.show(skin_ir_degc=None, contact=True)
    stub.ticks(11)
    status = stub.host.status()
    assert status.skin_ir_degc is None
    assert not status.faults & Fault.SKIN_SENSOR
    stub.board.show(contact=False)
    stub.ticks(1)
    assert stub.host.status().faults & Fault.SKIN_SENSOR
    assert stub.firmware.cutouts.trip is Trip.NONE


def test_ambient_out_of_its_range_is_a_fault_without_a_trip(stub: Any) -> None:
    stub.board.show(ambient_degc=math.nan, humidity_pct=101.0, tip=False)
    stub.ticks(101)
    status = stub.host.status()
    assert (status.ambient_degc, status.humidity_pct) == (None, None)
    assert status.faults == Fault.AMBIENT_SENSOR | Fault.TIP_MISSING
    assert status.trip_code == 0


# --- current that nobody ordered ------------------------------------------------------------------------------------


def arm(stub: Any, ticks: Any = 1) -> Any:
    for _ in range(ticks):
        stub.host.status()
        stub.host.send()
        stub.ticks(1)


@pytest.mark.req("A01")
def test_current_without_command_opens_the_relay_after_100_ms(stub: Any) -> None:
    arm(stub)
    stub.board.current_ma = 1500
    arm(stub, 5)
    assert stub.board.relay_closed
    arm(stub)
    assert stub.firmware.cutouts.trip is Trip.DRIVE_UNCOMMANDED
    assert not stub.board.relay_closed
    assert stub.host.status().faults & Fault.DRIVE_UNCOMMANDED


def test_current_that_outlives_off_is_counted_from_off(stub: Any) -> None:
    stub.cooling(5)
    stub.board.current_ma = 3000
    stub.ticks(1)
    arm(stub, 4)
    assert stub.firmware.cutouts.trip is Trip.NONE
    arm(stub)
    assert stub.firmware.cutouts.trip is Trip.DRIVE_UNCOMMANDED


def test_current_that_stays_although_the_relay_opened_is_a_relay_fault(stub: Any) -> None:
    arm(stub)
    stub.board.current_ma = -1500
    arm(stub, 12)
    assert stub.host.status().faults == Fault.DRIVE_UNCOMMANDED | Fault.RELAY_DISOBEYS
    assert stub.firmware.cutouts.trip is Trip.DRIVE_UNCOMMANDED


def test_current_through_a_relay_long_open_is_a_relay_that_does_not_obey(stub: Any) -> None:
    stub.ticks(10)
    stub.board.current_ma = 1500
    stub.ticks(6)
    assert stub.firmware.cutouts.trip is Trip.RELAY


def test_a_little_current_is_noise(stub: Any) -> None:
    stub.board.current_ma = 200
    stub.ticks(20)
    assert stub.firmware.cutouts.trip is Trip.NONE


def test_a_drive_stage_that_ignores_off_is_caught(stub: Any) -> None:
    stub.cooling(5)
    stub.firmware.quirks.drive_ignores_off = True
    arm(stub, 6)
    assert stub.firmware.cutouts.trip is Trip.DRIVE_UNCOMMANDED
    assert not stub.board.relay_closed


# --- longest cooling ------------------------------------------------------------------------------------------------


def test_contact_cooling_is_counted_and_cut_after_900_s(stub: Any) -> None:
    stub.board.show(contact=True)
    stub.cooling(1)
    stub.firmware._cooling._run_ms = 900_000 - 40
    stub.firmware._cooling._total_ms = 900_000 - 40
    stub.cooling(2)
    assert stub.host.status().cooling_s == 900
    assert stub.firmware.cutouts.trip is Trip.NONE
    stub.cooling(1)
    assert stub.firmware.cutouts.trip is Trip.LONGEST_COOLING
    assert stub.host.status().faults == 0
    stub.board.show(contact=False)
    stub.ticks(1499)
    assert stub.host.reset() is Refusal.RESET
    stub.ticks(1)
    assert stub.host.reset() is Refusal.NONE


def test_a_break_shorter_than_30_s_does_not_start_the_count_anew(stub: Any) -> None:
    stub.board.show(contact=True)
    stub.cooling(10)
    stub.board.show(contact=False)
    stub.cooling(1499)
    assert stub.firmware._cooling._run_ms == 200
    stub.cooling(1)
    assert stub.firmware._cooling._run_ms == 0
    assert stub.firmware._cooling.total_s == 0


def test_only_cooling_on_skin_counts(stub: Any) -> None:
    stub.board.show(contact=True)
    arm(stub, 60)
    assert stub.host.status().cooling_s == 0
    stub.board.show(contact=False)
    stub.cooling(60)
    assert stub.host.status().cooling_s == 0


def test_without_a_contact_sensor_every_tick_of_cooling_counts(new_stub: Any) -> None:
    stub = new_stub(Capability(0xFF & ~Capability.CONTACT))
    stub.firmware.lease._modes = frozenset({0, 1})  # such a wand refuses to cool; the count must hold all the same
    stub.cooling(51)
    assert stub.host.status().cooling_s == 1


# --- supply, calibration, watchdog ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quirk", "fault", "trip"),
    [
        ("supply_out_of_range", Fault.SUPPLY, Trip.SUPPLY),
        ("calibration_invalid", Fault.CALIBRATION, Trip.CALIBRATION),
    ],
)
def test_supply_and_calibration_trip(stub: Any, quirk: Any, fault: Any, trip: Any) -> None:
    setattr(stub.firmware.quirks, quirk, True)
    stub.ticks(1)
    status = stub.host.status()
    assert (status.trip_code, status.faults) == (trip, fault)
