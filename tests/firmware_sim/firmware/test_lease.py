"""Every rule of the lease in docs/wire.md section 6, on a wand in simulated time."""

from typing import Any

import pytest

from cryodevice.wire.codes import Capability, Flag, Mode, Refusal, State, Trip

R = Refusal
ALL_BUT_WARM = Capability(0xFF)

REFUSALS = [
    (R.BOOT_ID, {"boot_id": 999}),
    (R.TOKEN, {"token": 0x4321}),
    (R.TOKEN, {"token": 0}),
    (R.SEQUENCE, {"sequence": 1}),
    (R.SEQUENCE, {"sequence": 0}),
    (R.SEQUENCE, {"sequence": 1 + 0x8000}),
    (R.MODE, {"mode": Mode.WARM, "setpoint_degc": 38.0}),
    (R.MODE, {"mode": 3}),
    (R.MODE, {"mode": 65535}),
    (R.SETPOINT, {"setpoint_degc": 1.99}),
    (R.SETPOINT, {"setpoint_degc": 40.01}),
    (R.SETPOINT, {"setpoint_degc": -327.68}),
    (R.LEASE_LENGTH, {"lease_ms": 0}),
    (R.LEASE_LENGTH, {"lease_ms": 1001}),
    (R.LEASE_LENGTH, {"lease_ms": 65535}),
    (R.ECHO, {"echo": 0}),
    (R.ECHO, {"echo": 2}),
    (R.RESET, {"key": 0x5AFE}),
    (R.RESET, {"key": 1}),
    (R.RESET, {"mode": Mode.OFF, "key": 0x5AFE}),
    (R.RESET, {"mode": Mode.OFF, "lease_ms": 0, "key": 0x5AFE}),
    (R.RESET, {"mode": Mode.OFF, "lease_ms": 0, "key": 0x5AFF}),
]


@pytest.mark.parametrize(("refusal", "spoilt"), REFUSALS, ids=str)
def test_each_refusal_is_counted_and_changes_nothing_else(bench: Any, refusal: Any, spoilt: Any) -> None:
    bench.host.sequence = 0
    bench.host.stop(sequence=1)
    bench.host.status()
    before = bench.firmware.status_words()
    assert bench.host.send(**{"mode": Mode.COOL, **spoilt}) is refusal
    after = bench.firmware.status_words()
    assert (after[24], after[25]) == (refusal, 1)
    assert after[:24] + after[26:] == before[:24] + before[26:]
    bench.check()


ORDER_OF_CHECKS = [
    (R.BOOT_ID, {"boot_id": 999}),
    (R.TOKEN, {"token": 9}),
    (R.SEQUENCE, {"sequence": 0}),
    (R.MODE, {"mode": 7}),
    (R.SETPOINT, {"mode": Mode.COOL, "setpoint_degc": 1.0}),
    (R.LEASE_LENGTH, {"mode": Mode.COOL, "lease_ms": 5000}),
    (R.ECHO, {"mode": Mode.COOL, "echo": 60000}),
    (R.RESET, {"mode": Mode.COOL, "key": 3}),
]


@pytest.mark.parametrize("first", range(len(ORDER_OF_CHECKS)))
def test_the_first_check_that_fails_is_the_refusal(bench: Any, first: Any) -> None:
    bench.host.status()
    everything = {}
    for _, spoilt in reversed(ORDER_OF_CHECKS[first:]):
        everything |= spoilt
    assert bench.host.send(**{"mode": Mode.COOL, **everything}) is ORDER_OF_CHECKS[first][0]


def test_a_latched_trip_is_refused_after_the_mode_and_before_the_setpoint(bench: Any) -> None:
    bench.plant.estop = True
    bench.run(0.02)
    bench.host.status()
    assert bench.host.send(7, setpoint_degc=1.0) is R.MODE
    assert bench.host.send(Mode.COOL, setpoint_degc=1.0) is R.TRIP_LATCHED
    assert bench.host.send(Mode.OFF, lease_ms=500) is R.TRIP_LATCHED
    assert bench.host.send(Mode.OFF, lease_ms=0, key=1) is R.RESET


@pytest.mark.parametrize("setpoint_degc", [2.0, 40.0])
@pytest.mark.parametrize("lease_ms", [30, 1000])
def test_the_ends_of_the_accepted_ranges_are_accepted(bench: Any, setpoint_degc: Any, lease_ms: Any) -> None:
    assert bench.host.cool(setpoint_degc=setpoint_degc, lease_ms=lease_ms) is R.NONE
    status = bench.host.status()
    assert (status.setpoint_degc, status.lease_remaining_ms) == (setpoint_degc, lease_ms)


def test_setpoint_is_not_judged_in_mode_0_and_none_is_in_force(bench: Any) -> None:
    bench.host.status()
    assert bench.host.send(Mode.OFF, setpoint_degc=-50.0) is R.NONE
    assert bench.host.status().setpoint_degc is None


def test_warm_needs_its_capability_and_a_lease(new_bench: Any) -> None:
    bench = new_bench(capabilities=ALL_BUT_WARM | Capability.WARM)
    bench.host.status()
    assert bench.host.send(Mode.WARM, setpoint_degc=38.0, lease_ms=0) is R.LEASE_LENGTH
    assert bench.host.send(Mode.WARM, setpoint_degc=38.0) is R.NONE
    bench.run(0.1)
    assert bench.firmware.state is State.WARMING
    assert bench.plant.truth().drive_a < 0
    bench.run(0.5)
    assert bench.firmware.cutouts.trip is Trip.LEASE_EXPIRED


@pytest.mark.parametrize("missing", [Capability.CONTACT, Capability.TRIGGER, Capability.FAN_TACHOMETER, 1 << 6])
def test_a_wand_without_a_needed_capability_does_not_cool(new_bench: Any, missing: Any) -> None:
    bench = new_bench(capabilities=Capability(int(ALL_BUT_WARM) & ~int(missing) | int(Capability.WARM)))
    bench.host.status()
    assert bench.host.send(Mode.COOL) is R.MODE
    assert bench.host.send(Mode.WARM) is R.MODE
    assert bench.host.send(Mode.OFF) is R.NONE


# --- the deadline ---------------------------------------------------------------------------------------------------


def test_the_lease_counts_from_the_sample_not_from_the_arrival(bench: Any) -> None:
    bench.host.status()
    echo = bench.firmware.sequence
    bench.run(0.313)
    assert bench.host.send(Mode.COOL, echo=echo) is R.NONE
    assert bench.host.status().lease_remaining_ms == 500 - 313
    truth = bench.simulator.truth()
    assert truth["deadline_s"] == pytest.approx(truth["last_echo_sample_s"] + 0.5)


@pytest.mark.req("P02")
def test_repeating_an_old_echo_with_new_orders_does_not_stretch_the_lease(bench: Any) -> None:
    bench.host.status()
    echo, sampled_s = bench.firmware.sequence, bench.simulator.time_s
    refused = []
    while bench.simulator.time_s < sampled_s + 0.6:
        bench.run(0.05)
        refused.append(bench.host.send(Mode.COOL, echo=echo))
        bench.check()
    assert set(refused) == {R.NONE, R.TRIP_LATCHED}
    assert bench.firmware.cutouts.trip is Trip.LEASE_EXPIRED
    assert bench.simulator.truth()["drive_off_at_s"] == pytest.approx(sampled_s + 0.5)


def test_a_deadline_must_lie_in_the_future(bench: Any) -> None:
    bench.host.status()
    echo = bench.firmware.sequence
    bench.run(0.5)
    assert bench.host.send(Mode.COOL, echo=echo, lease_ms=500) is R.ECHO
    assert bench.host.send(Mode.COOL, echo=echo, lease_ms=501) is R.NONE


def test_a_new_deadline_replaces_a_later_one(bench: Any) -> None:
    bench.host.cool(lease_ms=1000)
    bench.host.cool(lease_ms=200)
    assert bench.host.status().lease_remaining_ms == 200


def test_a_lease_ends_at_its_own_millisecond_between_two_ticks(bench: Any) -> None:
    bench.host.cool(lease_ms=307)
    started = bench.simulator.time_s
    bench.run(0.306)
    bench.check()
    assert bench.plant.relay_closed
    bench.run(0.001)
    bench.check()
    assert not bench.plant.relay_closed
    bench.run(0.1)
    assert bench.simulator.truth()["drive_off_at_s"] == pytest.approx(started + 0.307)


def test_it_does_so_in_the_midst_of_one_long_advance_too(bench: Any) -> None:
    bench.run(0.3, cooling=True)
    bench.host.cool(lease_ms=307)
    started = bench.simulator.time_s
    bench.run(2.0)
    assert bench.simulator.truth()["drive_off_at_s"] == pytest.approx(started + 0.307)


def test_a_lease_that_expires_in_cool_trips_and_in_armed_does_not(bench: Any) -> None:
    bench.host.status()
    bench.host.send(Mode.OFF, lease_ms=500)
    assert bench.host.status().state == State.ARMED
    assert bench.plant.relay_closed
    assert bench.plant.truth().drive_a == 0.0
    bench.run(0.6)
    assert bench.host.status().state == State.OFF
    bench.host.cool()
    bench.run(0.6)
    status = bench.host.status()
    assert (status.state, status.trip_code) == (State.TRIPPED, Trip.LEASE_EXPIRED)
    assert status.flags & Flag.TRIP_LATCHED


def test_an_order_after_the_deadline_finds_the_trip_even_before_the_next_tick(bench: Any) -> None:
    bench.host.cool(lease_ms=101)
    bench.run(0.1)
    bench.host.status()
    bench.run(0.001)
    assert bench.host.send(Mode.COOL) is R.TRIP_LATCHED


def test_only_ticks_that_a_reply_has_carried_may_be_echoed(bench: Any) -> None:
    assert bench.host.send(Mode.COOL) is R.ECHO
    bench.host.status()
    bench.run(0.02)
    assert bench.host.send(Mode.COOL) is R.ECHO
    assert bench.host.send(Mode.COOL, echo=bench.firmware.sequence - 1) is R.NONE


def test_an_error_reply_carries_no_status_and_a_tick_before_the_first_cannot_be_echoed(new_bench: Any) -> None:
    bench = new_bench()
    bench.simulator.reboot()
    assert bench.host.status().sequence == 0
    assert bench.host.status().plate_a_degc is None
    bench.host.stop()
    assert bench.host.send(Mode.COOL, echo=0) is R.ECHO


def test_sample_times_of_the_last_128_carried_ticks_are_kept(bench: Any) -> None:
    first = bench.firmware.sequence
    for _ in range(128):
        bench.host.status()
        bench.run(0.02)
    ring = bench.firmware.lease.echoes
    assert len(ring) == 128
    assert ring.find(first) is not None
    bench.host.status()
    assert len(ring) == 128
    assert ring.find(first) is None
    assert ring.find(first + 1) is not None


def test_a_tick_carried_twice_takes_one_place(bench: Any) -> None:
    for _ in range(5):
        bench.host.status()
    assert len(bench.firmware.lease.echoes) == 1


# --- sequences, repeats, epoch --------------------------------------------------------------------------------------


@pytest.mark.req("P02")
def test_an_exact_repeat_is_answered_and_not_applied(bench: Any) -> None:
    bench.host.status()
    words = bench.host.words(Mode.COOL)
    assert bench.firmware.receive(words) is R.NONE
    before = bench.host.status()
    bench.run(0.1)
    assert bench.firmware.receive(words) is R.NONE
    after = bench.host.status()
    assert after.order_epoch == before.order_epoch
    assert after.lease_remaining_ms == before.lease_remaining_ms - 100
    assert after.refusals == 0


@pytest.mark.req("P02")
def test_a_repeat_that_differs_in_one_word_is_refused(bench: Any) -> None:
    bench.host.status()
    words = bench.host.words(Mode.COOL)
    bench.firmware.receive(words)
    words[2] += 1
    assert bench.firmware.receive(words) is R.SEQUENCE


def test_an_exact_repeat_of_a_stop_is_not_applied_again(bench: Any) -> None:
    words = bench.host.words(Mode.OFF, lease_ms=0)
    bench.firmware.receive(words)
    epoch = bench.firmware.lease.epoch
    bench.firmware.receive(words)
    assert bench.firmware.lease.epoch == epoch


def test_order_sequence_and_status_sequence_wrap(bench: Any) -> None:
    bench.host.stop(sequence=65534)
    bench.firmware.sequence = 65533
    for expected in (65535, 0, 1):
        bench.run(0.02)
        assert bench.host.cool() is R.NONE
        assert bench.host.status().order_sequence == expected
    assert bench.firmware.sequence == 0


def test_a_sequence_half_way_round_is_the_last_that_is_newer(bench: Any) -> None:
    bench.host.stop(sequence=100)
    bench.host.status()
    assert bench.host.send(Mode.COOL, sequence=100 + 32768) is R.SEQUENCE
    assert bench.host.send(Mode.COOL, sequence=100 + 32767) is R.NONE


def test_the_epoch_counts_every_accepted_order_and_wraps(bench: Any) -> None:
    bench.firmware.lease.epoch = 65534
    bench.host.stop()
    assert bench.host.status().order_epoch == 65535
    bench.host.stop(token=99, sequence=4000)
    assert bench.host.status().order_epoch == 0
    bench.host.send(Mode.COOL, boot_id=0)
    assert bench.host.status().order_epoch == 0


def test_refusals_wrap(bench: Any) -> None:
    bench.firmware.lease.refusals = 65535
    bench.host.send(Mode.COOL, boot_id=0)
    assert bench.host.status().refusals == 0


# --- stops and tokens -----------------------------------------------------------------------------------------------


def test_a_stop_is_accepted_with_everything_else_wrong(bench: Any) -> None:
    bench.run(0.3, cooling=True)
    assert bench.plant.truth().drive_a > 0
    wrong = {"sequence": 0, "echo": 60000, "boot_id": 77, "token": 0, "setpoint_degc": -300.0}
    assert bench.host.stop(**wrong) is R.NONE
    assert not bench.plant.relay_closed
    assert bench.plant.drive_a == 0.0
    bench.check()
    bench.run(1.0)
    assert bench.firmware.cutouts.trip is Trip.NONE


@pytest.mark.parametrize("state", ["off", "armed", "cooling", "tripped", "hung", "rebooted"])
def test_a_stop_is_accepted_in_every_state(bench: Any, state: Any) -> None:
    bench.host.status()
    match state:
        case "armed":
            bench.host.send(Mode.OFF)
        case "cooling":
            bench.run(0.2, cooling=True)
        case "tripped":
            bench.plant.estop = True
            bench.run(0.02)
        case "hung":
            bench.run(0.2, cooling=True)
            bench.firmware.quirks.hang_safety_task = True
            bench.run(0.1)
        case "rebooted":
            bench.simulator.reboot()
    assert bench.host.stop() is R.NONE
    assert not bench.plant.relay_closed
    assert bench.plant.drive_a == 0.0


def test_a_foreign_stop_ends_a_live_lease_and_leaves_no_token(bench: Any) -> None:
    bench.host.cool()
    sequence = bench.firmware.lease.order_sequence
    bench.host.stop(token=0xBEEF, sequence=sequence + 500)
    status = bench.host.status()
    assert (status.token, status.order_sequence) == (0, sequence)
    assert bench.host.cool(sequence=sequence + 1) is R.TOKEN
    bench.host.stop(token=0xBEEF, sequence=7)
    status = bench.host.status()
    assert (status.token, status.order_sequence) == (0xBEEF, 7)


def test_a_token_enters_only_by_a_stop_while_no_lease_is_live(bench: Any) -> None:
    bench.host.status()
    assert bench.host.send(Mode.OFF, token=5) is R.TOKEN
    bench.host.send(Mode.OFF)
    bench.host.stop(token=5)
    assert bench.host.status().token == 0
    bench.host.stop(token=5)
    assert bench.host.status().token == 5


def test_a_stop_without_a_token_changes_neither_token_nor_sequence_when_no_lease_is_live(bench: Any) -> None:
    before = bench.host.status()
    bench.host.stop(token=0, sequence=9000)
    after = bench.host.status()
    assert (after.token, after.order_sequence) == (before.token, before.order_sequence)
    assert after.order_epoch == before.order_epoch + 1


def test_a_stop_with_the_token_in_force_sets_the_sequence_even_backwards(bench: Any) -> None:
    bench.host.cool(sequence=5000)
    bench.host.stop(sequence=10)
    status = bench.host.status()
    assert (status.token, status.order_sequence) == (0x1234, 10)
    assert bench.host.cool(sequence=11) is R.NONE


# --- reset ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tripped(bench: Any) -> Any:
    bench.host.cool(lease_ms=100)
    bench.run(0.2)
    assert bench.firmware.cutouts.trip is Trip.LEASE_EXPIRED
    return bench


def test_a_reset_clears_the_trip_and_leaves_the_wand_off(tripped: Any) -> None:
    assert tripped.host.reset() is R.NONE
    assert tripped.host.status().state == State.OFF
    tripped.run(0.02)
    status = tripped.host.status()
    assert (status.trip_code, status.flags & Flag.TRIP_LATCHED) == (0, 0)
    tripped.check()
    assert tripped.host.cool() is R.NONE


def test_a_reset_while_the_lease_still_runs_ends_it(bench: Any) -> None:
    bench.host.cool(lease_ms=1000)
    bench.plant.estop = True
    bench.run(0.04)
    bench.plant.estop = False
    bench.run(0.02)
    assert bench.host.status().flags & Flag.LEASE_LIVE
    assert bench.host.reset() is R.NONE
    bench.check()
    assert not bench.plant.relay_closed


def test_a_reset_needs_an_echo_that_showed_the_flag(bench: Any) -> None:
    bench.host.cool(lease_ms=100)
    bench.host.status()
    unaware = bench.firmware.sequence
    bench.run(0.2)
    bench.host.status()
    assert bench.host.send(Mode.OFF, lease_ms=0, key=0x5AFE, echo=unaware) is R.RESET
    assert bench.host.send(Mode.OFF, lease_ms=0, key=0x5AFE, echo=bench.firmware.sequence - 1) is R.ECHO
    assert bench.host.reset() is R.NONE


def test_an_echo_that_showed_an_earlier_trip_does_not_reset_a_later_one(tripped: Any) -> None:
    tripped.host.status()
    earlier = tripped.firmware.sequence
    assert tripped.host.reset() is R.NONE
    tripped.run(0.02)
    tripped.host.cool(lease_ms=100)
    tripped.run(0.2)
    assert tripped.host.send(Mode.OFF, lease_ms=0, key=0x5AFE, echo=earlier) is R.RESET


def test_a_reset_is_refused_while_the_cause_is_present(bench: Any) -> None:
    bench.plant.estop = True
    bench.run(0.02)
    assert bench.host.reset() is R.RESET
    bench.plant.estop = False
    bench.run(0.02)
    assert bench.host.reset() is R.NONE


def test_a_reset_right_after_a_reset_is_refused(tripped: Any) -> None:
    assert tripped.host.reset() is R.NONE
    tripped.plant.estop = True
    tripped.run(0.02)
    tripped.plant.estop = False
    tripped.run(0.02)
    assert tripped.host.reset() is R.RESET
    tripped.host.stop()
    assert tripped.host.reset() is R.NONE


def test_a_repeated_reset_is_answered_and_does_not_clear_a_new_trip(tripped: Any) -> None:
    tripped.host.status()
    words = tripped.host.words(Mode.OFF, lease_ms=0, key=0x5AFE)
    assert tripped.firmware.receive(words) is R.NONE
    tripped.plant.estop = True
    tripped.run(0.02)
    tripped.plant.estop = False
    tripped.run(0.02)
    assert tripped.firmware.receive(words) is R.NONE
    assert tripped.firmware.cutouts.trip is Trip.ESTOP


def test_three_resets_in_ten_minutes_and_no_more(bench: Any) -> None:
    def trip_and_reset() -> Any:
        bench.plant.estop = True
        bench.run(0.02)
        bench.plant.estop = False
        bench.run(0.02)
        bench.host.stop()
        return bench.host.reset()

    assert [trip_and_reset() for _ in range(4)] == [R.NONE, R.NONE, R.NONE, R.RESET]
    bench.run(599.8)
    bench.host.stop()
    assert bench.host.reset() is R.RESET
    bench.run(0.1)
    bench.host.stop()
    assert bench.host.reset() is R.NONE


def test_a_reboot_forgets_lease_token_and_counters(bench: Any) -> None:
    bench.run(0.2, cooling=True)
    bench.host.send(Mode.COOL, boot_id=0)
    old = bench.firmware.boot_id
    bench.simulator.reboot()
    bench.check()
    status = bench.host.status()
    assert status.boot_id == old + 1
    assert (status.token, status.order_epoch, status.refusals, status.last_refusal, status.sequence) == (0, 0, 0, 0, 0)
    assert (status.lease_remaining_ms, status.drive_ma) == (0, None)
    assert bench.host.send(Mode.COOL, boot_id=old) is R.BOOT_ID
