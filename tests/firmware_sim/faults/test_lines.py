"""Faults of the link on all three protocols: opened frames keep a good check; the same seed spoils the same bytes."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from cryodevice.wire.frame import Frame, FrameReader, encode_frame
from firmware_sim.endpoints.modbus_rtu import RtuSlave
from firmware_sim.endpoints.modbus_tcp import TcpSlave
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.endpoints.slave import Slave
from firmware_sim.faults import FaultError, injection
from firmware_sim.faults.frames import closed, opened
from firmware_sim.simulator import Simulator
from tests.firmware_sim.endpoints import modbus_host as host

PROTOCOLS: dict[str, Callable[[Any], Slave]] = {"serial": SerialSlave, "rtu": RtuSlave, "tcp": TcpSlave}


class Host:
    """One line of one protocol: orders and status reads as its frames, and what comes back opened again."""

    def __init__(self, bench: Any, protocol: str) -> None:
        self.bench = bench
        self.protocol = protocol
        self.line = bench.simulator.line("memory", PROTOCOLS[protocol](bench.firmware))

    def frame(self, pdu: bytes) -> bytes:
        if self.protocol == "serial":
            return encode_frame(Frame(3, 7, b"")) if pdu == host.GOOD else encode_frame(Frame(2, 7, pdu[10:]))
        return host.rtu(pdu) if self.protocol == "rtu" else host.mbap(pdu, transaction=7)

    def ask(self, pdu: bytes = host.GOOD) -> bytes:
        return self.line.feed(self.frame(pdu))

    def order(self, **fields: Any) -> bytes:
        self.bench.host.status()
        return self.ask(host.exchange(self.bench.host.words(1, **fields)))

    def words(self, reply: bytes) -> list[int]:
        """The status in a reply whose check is good."""
        if self.protocol == "serial":
            (frame,) = FrameReader().feed(reply)
            payload = frame.payload
        elif self.protocol == "rtu":
            payload = host.pdu_of(reply)[2:]
        else:
            assert reply[:6] == bytes.fromhex("0007 0000") + (len(reply) - 6).to_bytes(2, "big")
            payload = reply[9:]
        return [int.from_bytes(payload[at : at + 2], "big") for at in range(0, len(payload), 2)]


@pytest.fixture(params=PROTOCOLS)
def line(bench: Any, request: Any) -> Host:
    return Host(bench, request.param)


def test_one_bit_of_a_status_is_wrong_under_a_good_check(line: Host) -> None:
    line.bench.simulator.faults.inject(injection("status_altered"))
    seen, true = line.words(line.ask()), line.bench.firmware.last_reply
    assert sum((a ^ b).bit_count() for a, b in zip(seen, true, strict=True)) == 1


def test_an_order_is_altered_under_a_good_check(line: Host) -> None:
    number = line.bench.simulator.faults.inject(injection("order_altered", {"field": "setpoint", "added": -300}))
    assert line.words(line.order())[18] == 500
    line.bench.simulator.faults.clear(number)
    assert line.words(line.order())[18] == 800


def test_an_order_by_function_16_is_altered_too(bench: Any) -> None:
    line = bench.simulator.line("memory", RtuSlave(bench.firmware))
    bench.simulator.faults.inject(injection("order_altered", {"field": "setpoint", "added": 150}))
    bench.host.status()
    line.feed(host.rtu(host.write_many(host.ORDER, bench.host.words(1))))
    assert bench.firmware.lease.setpoint_degc == 9.5
    line.feed(host.rtu(host.write_many(host.SCRATCH, [7])))
    assert bench.firmware.scratch == 7


def test_a_stale_echo_is_refused_and_a_stop_passes(line: Host) -> None:
    line.bench.simulator.faults.inject(injection("stale_echo", {"ticks": 300}))
    line.order()
    assert (line.bench.firmware.lease.last_refusal, line.bench.simulator.faults.fired("stale_echo")) == (3, 1)
    line.order()
    line.ask(host.exchange(line.bench.host.words(0, lease_ms=0)))
    assert line.bench.simulator.faults.fired("stale_echo") == 2


@pytest.mark.parametrize("wrong", ["unit", "function", "length"])
def test_a_wrong_reply_is_a_good_frame_that_answers_something_else(line: Host, wrong: str) -> None:
    good = opened(line.protocol, line.ask())  # type: ignore[arg-type]
    line.bench.simulator.faults.inject(injection("wrong_replies", {"wrong": wrong}))
    bad = opened(line.protocol, line.ask())  # type: ignore[arg-type]
    assert good is not None
    assert bad is not None
    at = {"unit": 0, "function": 1, "length": 2}[wrong]
    if line.protocol == "serial":
        at = {"unit": 1, "function": 0, "length": 2}[wrong]
    assert (bad.body[:at], len(bad.body) == len(good.body)) == (good.body[:at], wrong != "length")
    assert wrong == "length" or bad.body[at] == good.body[at] ^ 1


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 11])
def test_an_error_reply_is_the_protocols_own(line: Host, code: int) -> None:
    line.bench.simulator.faults.inject(injection("error_replies", {"code": code}))
    reply = opened(line.protocol, line.ask())  # type: ignore[arg-type]
    expected = bytes((0xFF, 7, code, 0)) if line.protocol == "serial" else bytes((1, 0x83, code))
    assert reply is not None
    assert reply.body == expected


def test_foreign_frames_are_good_frames_and_come_by_themselves(line: Host) -> None:
    line.bench.simulator.faults.inject(injection("foreign_frames", {"period_s": 0.05}))
    assert line.line.patience_s == pytest.approx(0.05)
    line.bench.run(0.05)
    frame = opened(line.protocol, line.line.silence())  # type: ignore[arg-type]
    assert frame is not None
    assert len(frame.body) > 40


def test_what_is_no_whole_frame_passes_as_it_is(line: Host) -> None:
    for name in ("status_altered", "wrong_replies", "order_altered"):
        line.bench.simulator.faults.inject(injection(name))
    line.bench.simulator.faults.inject(injection("noise_bytes", {"bytes": 3}))
    whole = line.frame(host.GOOD)
    assert line.line.feed(whole[:3]) == b""
    assert len(line.line.feed(whole[3:])) > 60
    assert opened("rtu", b"\1\2\3") is opened("tcp", b"\0" * 7) is opened("serial", b"\1\2\3") is None


def test_what_is_opened_closes_to_the_same_bytes(line: Host) -> None:
    for piece in (line.frame(host.GOOD), line.ask()):
        frame = opened(line.protocol, piece)  # type: ignore[arg-type]
        assert frame is not None
        assert closed(line.protocol, frame) == piece  # type: ignore[arg-type]


# --- chance ---------------------------------------------------------------------------------------------------------

SPOILERS = (
    ("bit_errors", {"rate": 0.002, "direction": "both"}),
    ("latency", {"jitter_ms": 20.0, "delay_ms": 0.0}),
    ("loss_to_host", {"share": 0.2}),
    ("noise_bytes", {"bytes": 2}),
    ("garbage_flood", {"bytes_s": 1000.0}),
    ("plate_noise", {"sigma_k": 1.0}),
)


def session(seed: int, spoilers: Iterable[tuple[str, dict[str, Any]]] = SPOILERS) -> bytes:
    """All that a host hears in a second of a bad line."""
    simulator = Simulator(seed, calibration_day=9500)
    line = simulator.line("serial", SerialSlave(simulator.firmware))
    for name, values in spoilers:
        simulator.faults.inject(injection(name, values, start_s=0.1, duration_s=0.8))
    heard = b""
    for at in range(500):
        simulator.advance(0.002)
        heard += line.feed(b"\0" + encode_frame(Frame(3, at % 256, b""))) if at % 25 == 0 else line.silence()
    return heard


def test_the_same_seed_spoils_the_same_bytes_and_another_one_others() -> None:
    assert session(3) == session(3)
    assert session(3) != session(4)
    assert session(3) != session(3, SPOILERS[1:])


def test_the_chance_of_one_fault_does_not_hang_on_another(bench: Any) -> None:
    """The line that a fault is not on, and the sensors, are as if it were not there."""
    other = session(3, [("bit_errors", {"rate": 0.5, "line": "modbus_tcp"})])
    assert other == session(3, [])


@pytest.mark.parametrize("rate", [1e-4, 1e-3, 1e-2])
def test_bits_are_turned_over_as_often_as_it_says(bench: Any, rate: float) -> None:
    simulator = bench.simulator
    simulator.faults.inject(injection("bit_errors", {"rate": rate}))
    line = simulator.line("memory", Mirror())
    sent = bytes(2000)
    turned = sum(byte.bit_count() for _ in range(50) for byte in line.feed(sent))
    expected = 50 * 16_000 * rate
    assert abs(turned - expected) < 5 * expected**0.5


class Mirror(Slave):
    """Answers with what it gets."""

    def feed(self, data: bytes) -> bytes:
        return data


# --- the stretch of line itself -------------------------------------------------------------------------------------


def test_faults_of_one_direction_are_passed_in_the_order_in_which_they_came(bench: Any) -> None:
    line = bench.simulator.line("memory", Mirror())
    doubled = bench.simulator.faults.inject(injection("frames_doubled"))
    bench.simulator.faults.inject(injection("frames_truncated", {"bytes": 1}))
    assert line.feed(b"ab") == b"aba"
    bench.simulator.faults.clear(doubled)
    bench.simulator.faults.inject(injection("frames_doubled"))
    assert line.feed(b"ab") == b"aa"


def test_what_a_filter_holds_goes_on_its_way_when_it_is_taken_out(bench: Any) -> None:
    line = bench.simulator.line("memory", Mirror())
    bench.simulator.faults.inject(injection("frames_merged", {"frames": 3}))
    assert line.feed(b"a") + line.feed(b"b") == b""
    bench.simulator.faults.clear()
    assert line.patience_s == pytest.approx(0.001)
    assert line.silence() == b"ab"
    assert line.patience_s is None


def test_a_fault_that_is_spent_lets_everything_pass(bench: Any) -> None:
    line = bench.simulator.line("memory", Mirror())
    bench.simulator.faults.inject(injection("loss_to_wand", count=2))
    assert [line.feed(b"a") for _ in range(4)] == [b"", b"", b"a", b"a"]
    assert bench.simulator.faults.fired("loss_to_wand") == 2


def test_what_sends_by_itself_stops_at_its_count_though_nobody_looks_for_long(bench: Any) -> None:
    line = bench.simulator.line("memory", Mirror())
    bench.simulator.faults.inject(injection("garbage_flood", {"bytes_s": 1000}, count=3))
    bench.run(0.9)
    assert len(line.silence()) == 30
    assert bench.simulator.faults.fired("garbage_flood") == 3
    bench.simulator.faults.inject(injection("reboot", count=3))
    bench.run(0.1)
    assert bench.simulator.truth()["boot_id"] == 4


def test_bytes_that_vanish_do_not_keep_a_half_request_alive(bench: Any) -> None:
    line = bench.simulator.line("memory", RtuSlave(bench.firmware))
    line.feed(host.rtu(host.GOOD)[:5])
    bench.simulator.faults.inject(injection("loss_to_wand"))
    bench.run(0.015)
    assert line.feed(b"\1") == b""
    assert line.patience_s == pytest.approx(0.005)
    bench.run(0.006)
    line.silence()
    assert bench.firmware.bad_frames == 1


def test_a_closed_line_is_forgotten(bench: Any) -> None:
    line = bench.simulator.line("memory", Mirror())
    line.close()
    line.close()
    number = bench.simulator.faults.inject(injection("garbage_flood"))
    bench.run(0.1)
    assert bench.simulator.faults.fired("garbage_flood") == 0
    bench.simulator.faults.clear(number)
    with pytest.raises(FaultError):
        bench.simulator.faults.clear(number)


def test_a_half_request_is_judged_when_the_line_is_silent_with_a_fault_as_without(bench: Any) -> None:
    for fault in (None, "late_replies"):
        line = bench.simulator.line("memory", RtuSlave(bench.firmware))
        if fault is not None:
            bench.simulator.faults.inject(injection(fault, {"delay_ms": 30}))
        bad = bench.firmware.bad_frames
        assert line.feed(host.rtu(host.GOOD)[:5]) == b""
        assert line.patience_s == pytest.approx(0.02)
        bench.run(0.02)
        line.silence()
        assert bench.firmware.bad_frames == bad + 1


def test_a_line_holds_a_mebibyte_at_most(bench: Any) -> None:
    line = bench.simulator.line("memory", Mirror())
    bench.simulator.faults.inject(injection("latency", {"delay_ms": 1000}))
    for _ in range(3):
        line.feed(bytes(400_000))
    bench.run(1.0)
    assert len(line.silence()) == 800_000
    line.feed(bytes(1000))
    bench.run(1.0)
    assert len(line.silence()) == 1000
