"""Faults of the link on real ptys and real TCP, by the real clock: the same chains between port and slave."""

import asyncio
import os
import socket
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cryodevice.wire.frame import Frame, FrameReader, encode_frame
from firmware_sim.endpoints.modbus_rtu import RtuSlave
from firmware_sim.endpoints.modbus_tcp import TcpSlave
from firmware_sim.endpoints.pacer import Pacer
from firmware_sim.endpoints.pty_port import PtyPort
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.endpoints.tcp_port import TcpPort
from firmware_sim.faults import injection
from tests.firmware_sim.endpoints import modbus_host as host
from tests.firmware_sim.endpoints.test_ports import FREE

KINDS = ("serial", "serial_tcp", "modbus_rtu", "modbus_tcp")
LATE_MS = 150
SLACK_S = 1.0
"""How late a reply may be beyond what it is told to be: two cores, shared."""


class End:
    """The host's end of one line, whatever is spoken on it."""

    def __init__(self, kind: str, descriptor: int) -> None:
        self.kind = kind
        self.descriptor = descriptor
        self.number = 0
        os.set_blocking(descriptor, False)

    def ask(self) -> None:
        """Ask for the status under the next number."""
        self.number += 1
        if self.kind.startswith("serial"):
            request = encode_frame(Frame(3, self.number % 256, b""))
        else:
            request = (
                host.rtu(host.GOOD) if self.kind == "modbus_rtu" else host.mbap(host.GOOD, transaction=self.number)
            )
        assert os.write(self.descriptor, request) == len(request)

    def heard(self) -> bytes:
        try:
            return os.read(self.descriptor, 65536)
        except BlockingIOError:
            return b""

    async def reply(self, within_s: float) -> tuple[bytes, float]:
        """What comes until there are as many bytes as a reply has, and how long that took."""
        size = {"modbus_rtu": 69, "modbus_tcp": 73}.get(self.kind, 70)
        data, started = b"", time.monotonic()
        while len(data) < size and time.monotonic() - started < within_s:
            await asyncio.sleep(0.001)
            data += self.heard()
        return data, time.monotonic() - started

    def good(self, data: bytes) -> bool:
        if self.kind.startswith("serial"):
            return [frame.sequence for frame in FrameReader().feed(data)] == [self.number % 256]
        if self.kind == "modbus_rtu":
            return len(data) == 69 and host.crc(data[:-2]) == data[-2:]
        return len(data) == 73 and int.from_bytes(data[:2], "big") == self.number


@asynccontextmanager
async def open_end(bench: Any, kind: str, link: Path | None = None) -> Any:
    catch_up = Pacer(bench.simulator, time.monotonic).catch_up
    slaves = {"serial": SerialSlave, "serial_tcp": SerialSlave, "modbus_rtu": RtuSlave, "modbus_tcp": TcpSlave}

    def new() -> Any:
        return bench.simulator.line(kind, slaves[kind](bench.firmware))

    if kind.endswith("tcp"):
        async with TcpPort(new, catch_up, FREE) as port:
            with socket.create_connection((port.address.host, port.address.port)) as client:
                yield End(kind, client.fileno()), catch_up
    else:
        async with PtyPort(new(), catch_up, link) as port:
            descriptor = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
            try:
                yield End(kind, descriptor), catch_up
            finally:
                os.close(descriptor)


async def test_late_replies_come_late_by_the_real_clock_until_they_are_cleared(bench: Any) -> None:
    async def one(kind: str) -> None:
        async with open_end(bench, kind) as (end, _):
            number = bench.simulator.faults.inject(injection("late_replies", {"delay_ms": LATE_MS, "line": kind}))
            end.ask()
            data, took_s = await end.reply(2.0)
            assert end.good(data)
            assert LATE_MS / 1000 <= took_s < LATE_MS / 1000 + SLACK_S
            bench.simulator.faults.clear(number)
            end.ask()
            data, _ = await end.reply(2.0)
            assert end.good(data)

    for kind in KINDS:
        await one(kind)
    assert bench.simulator.faults.fired("late_replies") == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["loss_to_wand", "loss_to_host"])
async def test_one_way_loss_is_silence_at_the_host_and_only_the_far_way_reaches_the_wand(
    bench: Any, kind: str, name: str
) -> None:
    async with open_end(bench, kind) as (end, _):
        bench.firmware.last_reply = None
        number = bench.simulator.faults.inject(injection(name))
        end.ask()
        async with asyncio.timeout(2.0):
            while not bench.simulator.faults.fired(name):
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.03)
        assert end.heard() == b""
        assert (bench.firmware.last_reply is not None) == (name == "loss_to_host")
        assert bench.simulator.faults.fired(name) == 1
        bench.simulator.faults.clear(number)
        end.ask()
        data, _ = await end.reply(2.0)
        assert end.good(data)


@pytest.mark.parametrize("kind", KINDS[:3])
async def test_frames_with_bit_errors_are_never_taken_for_good(bench: Any, kind: str) -> None:
    async with open_end(bench, kind) as (end, _):
        bench.simulator.faults.inject(injection("bit_errors", {"rate": 0.01}))
        spoilt = 0
        for _ in range(20):
            end.ask()
            data, _ = await end.reply(0.02)
            spoilt += not end.good(data)
        assert spoilt >= bench.simulator.faults.fired("bit_errors") > 10
        bench.simulator.faults.clear()
        await asyncio.sleep(0.02)
        end.heard()
        end.ask()
        data, _ = await end.reply(2.0)
        assert end.good(data)


async def test_a_flood_begins_on_a_line_that_nobody_uses(bench: Any) -> None:
    async with open_end(bench, "modbus_rtu") as (end, catch_up):
        bench.simulator.faults.inject(
            injection("garbage_flood", {"bytes_s": 20_000}, start_s=bench.simulator.time_s + 0.03)
        )
        await asyncio.sleep(0.05)
        catch_up()  # as the pacer does it
        data, _ = await end.reply(2.0)
        assert len(data) >= 69
        assert bench.simulator.faults.fired("garbage_flood") >= 1


async def test_a_pulled_plug_is_a_port_that_goes_away_and_comes_back_under_its_name(bench: Any, tmp_path: Path) -> None:
    link = tmp_path / "wand"
    async with open_end(bench, "serial", link) as (end, _):
        number = bench.simulator.faults.inject(injection("disconnect"))
        with pytest.raises(OSError, match="Input/output error"):
            os.write(end.descriptor, b"\0")
        assert not link.exists()
        assert not link.is_symlink()
        bench.simulator.faults.clear(number)
        descriptor = os.open(link, os.O_RDWR | os.O_NOCTTY)
        try:
            again = End("serial", descriptor)
            again.ask()
            data, _ = await again.reply(2.0)
            assert again.good(data)
        finally:
            os.close(descriptor)


async def test_a_reset_connection_is_told_and_can_be_made_again(bench: Any) -> None:
    catch_up = Pacer(bench.simulator, time.monotonic).catch_up
    async with TcpPort(
        lambda: bench.simulator.line("modbus_tcp", TcpSlave(bench.firmware)), catch_up, FREE, "Modbus TCP"
    ) as port:
        with socket.create_connection((port.address.host, port.address.port)) as client:
            client.setblocking(False)
            await asyncio.sleep(0.01)
            bench.simulator.faults.inject(injection("connection_resets", count=1))
            async with asyncio.timeout(2.0):
                with pytest.raises(ConnectionResetError):
                    await asyncio.get_running_loop().sock_recv(client, 1)
        number = bench.simulator.faults.inject(injection("disconnect"))
        with socket.create_connection((port.address.host, port.address.port)) as client:
            client.setblocking(False)
            async with asyncio.timeout(2.0):
                with pytest.raises(ConnectionResetError):
                    await asyncio.get_running_loop().sock_recv(client, 1)
        bench.simulator.faults.clear(number)
        with socket.create_connection((port.address.host, port.address.port)) as client:
            end = End("modbus_tcp", client.fileno())
            end.ask()
            data, _ = await end.reply(2.0)
            assert end.good(data)
