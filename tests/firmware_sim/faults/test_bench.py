"""Putting faults in and taking them out: when each begins and ends, what two of them do together, what is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from cryodevice.errors import CryodeviceError
from cryodevice.wire.codes import Fault
from cryodevice.wire.frame import Frame, FrameType, encode_frame
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.faults import FaultError, injection, injection_from_words

READ_STATUS = encode_frame(Frame(FrameType.READ_STATUS, 7, b""))


def faults_shown(bench: Any) -> Fault:
    return Fault(bench.host.status().faults)


def test_a_fault_begins_and_ends_at_its_own_time_and_shows(bench: Any) -> None:
    number = bench.simulator.faults.inject(injection("plate_open", start_s=1.0, duration_s=0.5))
    assert bench.simulator.faults.active() == [
        {
            "id": number,
            "name": "plate_open",
            "values": {"channel": "a"},
            "start_s": 1.0,
            "end_s": 1.5,
            "running": False,
            "fired": 0,
        }
    ]
    bench.simulator.advance(0.99 - bench.simulator.time_s)
    assert bench.host.status().faults == 0
    bench.run(0.01)
    assert faults_shown(bench) == Fault.PLATE_A_OPEN
    bench.run(0.48)
    assert (faults_shown(bench), bench.simulator.faults.fired("plate_open")) == (Fault.PLATE_A_OPEN, 25)
    bench.run(0.02)
    assert faults_shown(bench) == Fault(0)
    assert bench.simulator.faults.active() == []
    assert bench.simulator.faults.fired("plate_open") == 25


def test_it_makes_no_difference_how_time_is_cut(new_bench: Callable[..., Any]) -> None:
    whole, cut = new_bench(), new_bench()
    for made in (whole, cut):
        made.simulator.faults.inject(injection("plate_offset", {"offset_k": 0.7}, start_s=0.0333, duration_s=0.2))
        made.simulator.faults.inject(injection("watchdog_reset", start_s=0.1234))
    whole.run(0.5)
    for _ in range(500):
        cut.run(0.001)
    assert whole.simulator.truth() | {"time_s": 0} == cut.simulator.truth() | {"time_s": 0}
    assert whole.firmware.boot_ms == 123


# --- several faults -------------------------------------------------------------------------------------------------


def test_the_newest_fault_on_a_switch_wins_and_the_older_comes_back(bench: Any) -> None:
    faults, disturbances = bench.simulator.faults, bench.plant.disturbances
    disturbances.drive_stuck_a = 0.5
    older = faults.inject(injection("drive_stuck", {"current_a": 1.0}))
    newer = faults.inject(injection("drive_stuck", {"current_a": 2.0}))
    assert disturbances.drive_stuck_a == 2.0
    bench.run(0.1)
    assert [fault["fired"] for fault in faults.active()] == [0, 5]  # what is overruled makes no difference
    faults.clear(newer)
    assert disturbances.drive_stuck_a == 1.0
    faults.clear(older)
    assert disturbances.drive_stuck_a == 0.5
    older = faults.inject(injection("drive_stuck", {"current_a": 1.0}))
    newer = faults.inject(injection("drive_stuck", {"current_a": 2.0}))
    faults.clear(older)
    assert disturbances.drive_stuck_a == 2.0
    faults.clear()
    assert disturbances.drive_stuck_a == 0.5


def test_a_switch_that_somebody_sets_in_the_meantime_stays_his(bench: Any) -> None:
    faults, disturbances = bench.simulator.faults, bench.plant.disturbances
    number = faults.inject(injection("drive_stuck", {"current_a": 1.0}))
    disturbances.drive_stuck_a = 3.0
    faults.clear(number)
    assert disturbances.drive_stuck_a == 3.0
    newer = faults.inject(injection("drive_stuck", {"current_a": 1.0}))
    assert disturbances.drive_stuck_a == 1.0
    faults.clear(newer)
    assert disturbances.drive_stuck_a == 3.0


def test_a_fault_ends_when_it_has_fired_as_often_as_it_may(bench: Any) -> None:
    faults = bench.simulator.faults
    faults.inject(injection("plate_offset", {"offset_k": 2.0}, count=3))
    shown = []
    for _ in range(5):
        bench.run(0.02)
        shown.append(bench.host.status().plate_a_degc > 25.0)
    assert shown == [True] * 3 + [False] * 2
    assert (faults.active(), faults.fired("plate_offset")) == ([], 3)


# --- lines ----------------------------------------------------------------------------------------------------------


def test_a_line_opened_later_has_the_faults_in_force(bench: Any) -> None:
    simulator = bench.simulator
    number = simulator.faults.inject(injection("loss_to_host", {"line": "memory"}))
    deaf = simulator.line("memory", SerialSlave(bench.firmware))
    other = simulator.line("serial", SerialSlave(bench.firmware))
    assert deaf.feed(READ_STATUS) == b""
    assert other.feed(READ_STATUS) != b""
    assert simulator.faults.fired("loss_to_host") == 1
    simulator.faults.clear(number)
    assert deaf.feed(READ_STATUS) != b""


def test_bytes_under_way_arrive_though_the_fault_is_over_and_nothing_overtakes_them(bench: Any) -> None:
    simulator = bench.simulator
    line = simulator.line("memory", SerialSlave(bench.firmware))
    prompt = line.feed(READ_STATUS)
    number = simulator.faults.inject(injection("late_replies", {"delay_ms": 100}))
    assert line.feed(READ_STATUS) == b""
    assert line.patience_s == pytest.approx(0.1)
    simulator.faults.clear(number)
    bench.run(0.05)
    assert line.feed(READ_STATUS) == b""
    bench.run(0.051)
    late = line.silence()
    assert len(late) == 2 * len(prompt)
    assert line.patience_s is None


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("plate_opn", "did you mean plate_open"),
        ("xyzzy", "'firmware-sim faults' lists them"),
        ("plate_open side=a", "plate_open has no parameter 'side'; it has: channel"),
        ("plate_open channel=c", "channel is 'c'; allowed: a | b | both"),
        ("plate_offset offset_k=1e9", "allowed: -100 … 100 K"),
        ("plate_offset offset_k=nan", "allowed: -100 … 100 K"),
        ("plate_offset offset_k=much", "offset_k is 'much'"),
        ("lease_overrun overrun_ms=1.5", "a whole number, 1 … 65535 ms"),
        ("plate_open start_s=-1", "start_s is -1.0"),
        ("plate_open start_s=soon", "start_s is 'soon'; give a number"),
        ("plate_open duration_s=0", "duration_s is 0.0; give seconds above 0"),
        ("plate_open count=0", "count is"),
        ("plate_open count=1.5", "count is"),
        ("plate_open channel", "no key=value"),
        ("plate_open channel=a channel=b", "comes twice"),
    ],
)
def test_what_is_not_allowed_is_refused_with_what_is(words: str, says: str) -> None:
    name, *rest = words.split()
    with pytest.raises(FaultError) as refused:
        injection_from_words(name, rest)
    assert says in str(refused.value)
    assert isinstance(refused.value, CryodeviceError)


@pytest.mark.parametrize("value", [True, None, [], float("inf"), "2.5"])
def test_a_value_of_another_kind_is_refused(value: object) -> None:
    with pytest.raises(FaultError, match="offset_k"):
        injection("plate_offset", {"offset_k": value})


def test_an_id_that_is_not_there_is_refused(bench: Any) -> None:
    number = bench.simulator.faults.inject(injection("plate_open"))
    with pytest.raises(FaultError, match=f"no fault has the id 9; ids in force or waiting: {number}"):
        bench.simulator.faults.clear(9)
