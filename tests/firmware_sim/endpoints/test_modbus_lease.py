"""The rules of the lease are the same whichever line an order comes by: twin wands, one on serial, one on Modbus."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryodevice.wire.codes import Refusal
from cryodevice.wire.frame import ErrorCode, Frame, FrameReader, FrameType, encode_frame
from firmware_sim.endpoints.modbus_rtu import RtuSlave
from firmware_sim.endpoints.modbus_tcp import TcpSlave
from firmware_sim.endpoints.serial_slave import SerialSlave
from tests.firmware_sim.endpoints import modbus_host as host


class Serial:
    """A host on the serial line."""

    def __init__(self, firmware: Any) -> None:
        self._slave = SerialSlave(firmware)

    def _ask(self, kind: int, payload: bytes) -> Frame:
        (reply,) = FrameReader().feed(self._slave.feed(encode_frame(Frame(kind, 9, payload))))
        return reply

    def status(self) -> list[int]:
        return host.words_of(b"\x03\x40" + self._ask(FrameType.READ_STATUS, b"").payload)

    def exchange(self, order: Any) -> Any:
        """The status, or the refusal."""
        reply = self._ask(FrameType.EXCHANGE, b"".join(word.to_bytes(2, "big") for word in order))
        if reply.type == FrameType.ERROR:
            assert reply.payload[0] == ErrorCode.REFUSED
            return Refusal(reply.payload[1])
        return host.words_of(b"\x17\x40" + reply.payload)


class Modbus:
    """A host on Modbus; a refusal is read from the status, in part so that it carries nothing."""

    def __init__(self, firmware: Any) -> None:
        self._tcp = TcpSlave(firmware)
        self._rtu = RtuSlave(firmware)

    def status(self) -> list[int]:
        return host.words_of(self._tcp.feed(host.mbap(host.read(function=4)))[7:])

    def exchange(self, order: Any) -> Any:
        reply = host.pdu_of(self._rtu.feed(host.rtu(host.exchange(order))))
        if reply == bytes((0x97, 3)):
            return Refusal(host.words_of(self._tcp.feed(host.mbap(host.read(host.STATUS + 24, 1)))[7:])[0])
        return host.words_of(reply)


WORD = st.one_of(st.integers(0, 3), st.integers(0, 0xFFFF))
CHANGE = st.dictionaries(st.integers(0, 7), WORD, max_size=2)
STEP = st.tuples(
    st.sampled_from(["cool", "warm", "arm", "stop", "reset", "repeat", "status", "wait", "estop"]),
    st.one_of(st.just({}), CHANGE),
    st.sampled_from([0.0, 0.007, 0.02, 0.05, 0.3, 0.6]),
)
ORDERS = {"cool": (1, 800, 500, 0), "warm": (2, 3000, 500, 0), "arm": (0, 0, 500, 0), "stop": (0, 0, 0, 0),
          "reset": (0, 0, 0, 0x5AFE)}  # fmt: skip


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.lists(STEP, max_size=25))
def test_serial_and_modbus_give_the_same_replies_and_the_same_wand(new_bench: Any, steps: Any) -> None:
    benches = [new_bench(), new_bench()]
    hosts = [Serial(benches[0].firmware), Modbus(benches[1].firmware)]
    seen, other = (each.status() for each in hosts)
    number, last = 1, list(host.STOP)
    for what, change, wait_s in steps:
        if what in ORDERS:
            number += 1
            mode, setpoint, lease_ms, key = ORDERS[what]
            last = [number, mode, setpoint, lease_ms, seen[0], benches[0].firmware.boot_id, host.TOKEN, key]
            for at, word in change.items():
                last[at] = word
        elif what == "estop":
            for bench in benches:
                bench.plant.estop = not bench.plant.estop
        if what in ORDERS or what == "repeat":
            one, other = (each.exchange(last) for each in hosts)
            assert one == other
            seen = one if isinstance(one, list) else seen
        elif what == "status":
            seen, other = (each.status() for each in hosts)
            assert seen == other
        for bench in benches:
            bench.run(wait_s)
            bench.check()
        assert benches[0].simulator.truth() == benches[1].simulator.truth()


@pytest.mark.parametrize("line", [Serial, Modbus])
def test_a_lease_runs_and_ends_as_the_wire_says(bench: Any, line: Any) -> None:
    master = line(bench.firmware)
    number = bench.host.sequence
    status = master.status()
    for step in range(1, 11):
        order = [number + step, 1, 800, 500, status[0], bench.firmware.boot_id, host.TOKEN, 0]
        bench.run(0.04)
        status = master.exchange(order)
        assert (status[3], status[17]) == (2, 460)
    assert bench.plant.truth().drive_a != 0.0
    bench.run(0.5)
    status = master.status()
    assert (status[3], status[7], bench.plant.relay_closed) == (4, 1, False)
    order[0] += 1
    order[4] = status[0]
    assert master.exchange(order) is Refusal.TRIP_LATCHED
