"""The firmware tick as a whole: snapshot, outputs, fan, relay timer, reboot, quirks."""

from typing import Any

import pytest

from cryodevice.wire.blocks import unpack_identity
from cryodevice.wire.codes import Capability, Fault, Flag, Mode, Refusal, State, Trip
from firmware_sim.firmware import BootCause
from firmware_sim.firmware.regulator import current_limit

ORDER_FIELDS = {3, 4, 17, 18, 19, 22, 23, 24, 25}


def test_the_identity_is_this_firmware_of_its_own_numbers(stub: Any) -> None:
    identity = unpack_identity(stub.firmware.identity_words())
    assert (identity.magic, identity.wire_version, identity.applicator) == (0x4357, 0x0100, 0)
    assert (identity.serial_number, identity.firmware, identity.boot_id) == (7, "1.0.0", 1)
    assert identity.simulated
    assert identity.capabilities == Capability(0xFF)
    assert (identity.setpoint_min_degc, identity.setpoint_max_degc) == (2.0, 40.0)
    assert (identity.lease_max_ms, identity.cooling_max_s, identity.tick_ms) == (1000, 900, 20)
    assert (identity.cold_cutout_degc, identity.hot_cutout_degc, identity.sink_cutout_degc) == (1.0, 42.0, 55.0)
    assert (identity.drive_max_ma, identity.plate_area_cm2, identity.calibration_day) == (4000, 10.0, 9500)


def test_every_identity_field_can_lie(stub: Any) -> None:
    lies = {
        "magic": 1,
        "wire_version": 0x0200,
        "applicator": 1,
        "capabilities": Capability(0),
        "simulated": False,
        "setpoint_min_degc": -5.0,
        "setpoint_max_degc": 50.0,
        "calibration_day": 12,
    }
    for name, lie in lies.items():
        setattr(stub.firmware.quirks, name, lie)
    identity = unpack_identity(stub.firmware.identity_words())
    assert {name: getattr(identity, name) for name in lies} == lies
    assert stub.host.cool() is Refusal.NONE


def test_sequence_and_uptime_advance_each_tick_and_only_then(stub: Any) -> None:
    first = stub.host.status()
    assert stub.host.status() == first
    stub.firmware.clock(stub.firmware.now_ms + 19)
    assert stub.host.status().sequence == first.sequence
    assert stub.host.status().uptime_ms == first.uptime_ms
    stub.ticks(1)
    second = stub.host.status()
    assert (second.sequence - first.sequence, second.uptime_ms - first.uptime_ms) == (1, 20)


def test_an_order_shows_in_its_reply_and_in_no_measurement(stub: Any) -> None:
    stub.host.status()
    before = stub.firmware.reply_status()
    stub.board.show(plate_a_degc=5.0, contact=True, trigger=True)
    assert stub.host.send(Mode.COOL) is Refusal.NONE
    after = stub.firmware.reply_status()
    assert {at for at in range(32) if before[at] != after[at]} <= ORDER_FIELDS
    assert after[3] == State.COOLING
    assert before[4] ^ after[4] == Flag.LEASE_LIVE | Flag.RELAY_CLOSED
    stub.ticks(1)
    status = stub.host.status()
    assert status.plate_a_degc == 5.0
    assert status.flags & Flag.CONTACT
    assert status.flags & Flag.TRIGGER


def test_flags_of_the_inputs(stub: Any) -> None:
    stub.board.show(contact=True, trigger=True, motion=True)
    stub.ticks(1)
    assert stub.host.status().flags == Flag.CONTACT | Flag.TRIGGER | Flag.MOTION | Flag.TIP | Flag.FAN
    stub.board.show(contact=False, trigger=False, motion=False, tip=False, fan_running=False, estop=True)
    stub.ticks(1)
    assert stub.host.status().flags == Flag.ESTOP | Flag.TRIP_LATCHED


def test_inputs_the_wand_lacks_read_zero_and_quantities_not_available(new_stub: Any) -> None:
    stub = new_stub(Capability(0))
    stub.board.show(contact=True, trigger=True, motion=True)
    stub.ticks(1)
    status = stub.host.status()
    assert status.flags == 0
    assert (status.skin_ir_degc, status.humidity_pct, status.fan_rpm) == (None, None, None)


def test_setpoint_reached_needs_both_channels_in_the_band(stub: Any) -> None:
    stub.board.show(plate_a_degc=8.4, plate_b_degc=8.6)
    stub.cooling(1)
    assert not stub.host.status().flags & Flag.SETPOINT_REACHED
    stub.board.show(plate_b_degc=7.5)
    stub.cooling(1)
    assert stub.host.status().flags & Flag.SETPOINT_REACHED


def test_measurements_past_the_register_saturate(stub: Any) -> None:
    stub.board.current_ma = 99_999
    stub.board.show(drive_mv=-99_999)
    stub.ticks(1)
    status = stub.host.status()
    assert (status.drive_ma, status.drive_mv) == (32767, -32767)


def test_changing_the_mode_drops_the_drive_at_once(stub: Any) -> None:
    stub.cooling(5)
    assert stub.board.drive_a > 0
    stub.host.status()
    stub.host.send(Mode.OFF)
    assert (stub.board.drive_a, stub.board.relay_closed) == (0.0, True)


def test_turning_from_cool_to_warm_drops_the_drive_until_the_next_tick(new_stub: Any) -> None:
    stub = new_stub(Capability(0x1FF))
    stub.cooling(5)
    stub.host.status()
    assert stub.host.send(Mode.WARM, setpoint_degc=38.0) is Refusal.NONE
    assert stub.board.drive_a == 0.0
    stub.ticks(1)
    assert stub.board.drive_a == -4.0


def test_a_new_setpoint_in_the_same_mode_does_not_interrupt_the_drive(stub: Any) -> None:
    stub.cooling(5)
    drive = stub.board.drive_a
    stub.host.cool(setpoint_degc=12.0)
    assert stub.board.drive_a == drive > 0


# --- fan ------------------------------------------------------------------------------------------------------------


def test_the_fan_runs_under_a_lease_and_on_until_the_sink_is_below_35(stub: Any) -> None:
    assert not stub.board.fan_on
    stub.host.status()
    stub.host.send(Mode.OFF, lease_ms=60)
    stub.ticks(1)
    assert stub.board.fan_on
    stub.board.show(sink_degc=36.0)
    stub.ticks(20)
    assert stub.firmware.state is State.OFF
    assert stub.board.fan_on
    stub.board.show(sink_degc=35.0)
    stub.ticks(5)
    assert stub.board.fan_on
    stub.board.show(sink_degc=34.99)
    stub.ticks(1)
    assert not stub.board.fan_on


def test_a_hot_or_unknown_sink_starts_the_fan_by_itself_trip_or_no_trip(stub: Any) -> None:
    stub.board.show(sink_degc=36.9)
    stub.ticks(2)
    assert not stub.board.fan_on
    stub.board.show(sink_degc=37.0, estop=True)
    stub.ticks(2)
    assert stub.board.fan_on
    stub.board.show(sink_degc=None)
    stub.ticks(20)
    assert stub.board.fan_on


def test_a_fan_that_does_not_turn_is_a_fault_after_two_seconds(stub: Any) -> None:
    stub.board.show(sink_degc=40.0, fan_rpm=0, fan_running=False)
    stub.ticks(100)
    assert not stub.host.status().faults & Fault.FAN_STOPPED
    stub.ticks(2)
    status = stub.host.status()
    assert status.faults & Fault.FAN_STOPPED
    assert status.trip_code == 0


# --- the independent relay timer ------------------------------------------------------------------------------------


@pytest.mark.req("F02")
def test_a_hung_safety_task_loses_the_relay_after_300_ms(bench: Any) -> None:
    bench.run(0.5, cooling=True)
    bench.host.cool(lease_ms=1000)
    hung_at, sequence = bench.simulator.time_s, bench.firmware.sequence
    bench.firmware.quirks.hang_safety_task = True
    bench.run(0.299)
    assert bench.plant.truth().drive_a > 0
    assert bench.host.status().flags & Flag.RELAY_CLOSED
    bench.run(0.001)
    assert bench.plant.truth().drive_a == 0.0
    assert not bench.host.status().flags & Flag.RELAY_CLOSED
    assert bench.host.status().sequence == sequence
    assert bench.simulator.truth()["drive_off_at_s"] == pytest.approx(hung_at + 0.3)
    assert bench.host.send(Mode.COOL, lease_ms=1000) is Refusal.NONE
    assert not bench.plant.relay_closed
    bench.firmware.quirks.hang_safety_task = False
    bench.run(0.02)
    status = bench.host.status()
    assert (status.trip_code, status.faults) == (Trip.WATCHDOG, Fault.WATCHDOG_RESET)
    bench.check()
    assert bench.host.reset() is Refusal.NONE


def test_a_hung_safety_task_can_still_be_stopped_by_an_order(bench: Any) -> None:
    bench.run(0.5, cooling=True)
    bench.firmware.quirks.hang_safety_task = True
    bench.run(0.1)
    bench.host.stop()
    assert bench.plant.truth().drive_a == 0.0


def test_current_after_off_opens_the_relay_even_while_the_safety_task_hangs(stub: Any) -> None:
    stub.host.status()
    stub.host.send(Mode.OFF, lease_ms=1000)
    stub.firmware.quirks.hang_safety_task = True
    stub.board.current_ma = 2000
    stub.ticks(5)
    assert stub.board.relay_closed
    stub.ticks(1)
    assert not stub.board.relay_closed


# --- reboot ---------------------------------------------------------------------------------------------------------


@pytest.mark.req("A08")
@pytest.mark.parametrize(
    ("cause", "fault", "trip"),
    [
        (BootCause.POWER_ON, Fault(0), Trip.NONE),
        (BootCause.WATCHDOG, Fault.WATCHDOG_RESET, Trip.WATCHDOG),
        (BootCause.BROWN_OUT, Fault.BROWNOUT_RESET, Trip.NONE),
    ],
)
def test_a_reboot_turns_everything_off_and_says_why(stub: Any, cause: Any, fault: Any, trip: Any) -> None:
    stub.cooling(5)
    stub.firmware.reboot(cause)
    assert (stub.board.drive_a, stub.board.relay_closed, stub.board.fan_on) == (0.0, False, False)
    assert stub.firmware.boot_id == 2
    stub.ticks(1)
    status = stub.host.status()
    assert (status.faults, status.trip_code, status.sequence, status.uptime_ms) == (fault, trip, 1, 20)
    assert status.boot_id == 2
    if trip:
        stub.host.stop()
        assert stub.host.reset() is Refusal.NONE


# --- other quirks ---------------------------------------------------------------------------------------------------


def test_lease_remaining_can_be_misreported(stub: Any) -> None:
    stub.host.cool()
    stub.firmware.quirks.lease_report_offset_ms = 100
    assert stub.host.status().lease_remaining_ms == 600
    stub.firmware.quirks.lease_report_offset_ms = -900
    assert stub.host.status().lease_remaining_ms == 0


def test_a_lease_can_outlive_its_deadline(bench: Any) -> None:
    bench.firmware.quirks.lease_overrun_ms = 200
    bench.run(0.02)
    bench.host.cool(lease_ms=100)
    bench.run(0.29)
    assert bench.plant.relay_closed
    bench.run(0.02)
    assert not bench.plant.relay_closed


def test_a_frozen_status_repeats_itself_and_can_not_be_echoed_for_long(stub: Any) -> None:
    frozen = stub.host.status()
    stub.firmware.quirks.status_frozen = True
    stub.ticks(30)
    assert stub.host.status() == frozen
    assert stub.host.send(Mode.COOL, echo=frozen.sequence) is Refusal.ECHO


def test_reported_uptime_can_run_fast(stub: Any) -> None:
    stub.ticks(49)
    stub.firmware.quirks.uptime_rate = 1.05
    assert stub.host.status().uptime_ms == 1050


# --- regulator ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sink_degc", "limit_a"), [(24.0, 4.0), (45.0, 4.0), (50.0, 3.0), (55.0, 2.0), (70.0, 2.0), (None, 2.0)]
)
def test_the_current_clamp_falls_as_the_sink_warms(sink_degc: Any, limit_a: Any) -> None:
    assert current_limit(sink_degc) == pytest.approx(limit_a)


def test_the_drive_is_clamped_and_the_colder_channel_decides(stub: Any) -> None:
    stub.cooling(100)
    assert stub.board.drive_a == 4.0
    stub.board.show(plate_b_degc=8.0, plate_a_degc=10.0)
    stub.cooling(1)
    assert stub.board.drive_a == 0.0


@pytest.mark.parametrize(("setpoint_degc", "ambient_degc"), [(2.0, 24.0), (5.0, 30.0), (8.0, 18.0), (15.0, 24.0)])
def test_the_plate_reaches_its_setpoint_without_going_far_below(
    new_bench: Any, setpoint_degc: Any, ambient_degc: Any
) -> None:
    bench = new_bench(ambient_degc=ambient_degc, plate_degc=ambient_degc)
    lowest = ambient_degc
    for second in range(60):
        bench.plant.contact = second >= 40
        for _ in range(5):
            assert bench.host.cool(setpoint_degc=setpoint_degc) is Refusal.NONE
            bench.run(0.2)
            lowest = min(lowest, bench.plant.truth().plate_degc)
        if second == 39:
            assert bench.plant.truth().plate_degc == pytest.approx(setpoint_degc, abs=0.2)
            assert bench.host.status().flags & Flag.SETPOINT_REACHED
    assert lowest >= setpoint_degc - 0.5
    assert bench.plant.truth().plate_degc == pytest.approx(setpoint_degc, abs=0.2)
    assert bench.firmware.cutouts.trip is Trip.NONE


def test_pull_down_from_25_to_5_takes_about_15_s(new_bench: Any) -> None:
    bench = new_bench(ambient_degc=25.0, plate_degc=25.0)
    started = bench.simulator.time_s
    while bench.plant.truth().plate_degc > 5.5:
        bench.run(0.2, cooling=False)
        bench.host.cool(setpoint_degc=5.0)
        assert bench.simulator.time_s < started + 20
    assert bench.simulator.time_s - started > 11
