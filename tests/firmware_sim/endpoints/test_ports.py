"""The endpoints on real ptys and real TCP, in one loop with a wand that follows the real clock."""

import asyncio
import os
import socket
import termios
import time
import tty
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cryodevice.errors import PortUnavailableError
from cryodevice.wire.codes import Mode
from cryodevice.wire.frame import Frame, FrameReader, encode_frame
from firmware_sim.endpoints import tcp_port
from firmware_sim.endpoints.loopback import Address, parse_address
from firmware_sim.endpoints.pacer import Pacer
from firmware_sim.endpoints.pty_port import PtyPort
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.endpoints.tcp_port import TcpPort

READ_STATUS = encode_frame(Frame(3, 1, b""))
FREE = Address("127.0.0.1", 0)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Line:
    """The host's end of a line, pty or socket, as a plain descriptor on the loop."""

    def __init__(self, descriptor: Any) -> None:
        self.descriptor = descriptor
        os.set_blocking(descriptor, False)

    def write(self, data: Any) -> Any:
        assert os.write(self.descriptor, data) == len(data)

    async def frames(self, number: Any, within_s: Any = 2.0) -> Any:
        reader, found = FrameReader(), []
        async with asyncio.timeout(within_s):
            while len(found) < number:
                await asyncio.sleep(0.001)
                try:
                    found += reader.feed(os.read(self.descriptor, 4096))
                except BlockingIOError:
                    continue
        return found

    async def silent(self, for_s: Any = 0.1) -> Any:
        await asyncio.sleep(for_s)
        with pytest.raises(BlockingIOError):
            os.read(self.descriptor, 1)


@asynccontextmanager
async def open_line(bench: Any, kind: Any, catch_up: Any = None) -> Any:
    catch_up = catch_up or Pacer(bench.simulator, time.monotonic).catch_up
    if kind == "pty":
        async with PtyPort(SerialSlave(bench.firmware), catch_up) as port:
            descriptor = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
            try:
                yield Line(descriptor)
            finally:
                os.close(descriptor)
    else:
        async with TcpPort(lambda: SerialSlave(bench.firmware), catch_up, FREE) as port:
            with socket.create_connection((port.address.host, port.address.port)) as host:
                yield Line(host.fileno())


@pytest.fixture(params=["pty", "tcp"])
def kind(request: Any) -> Any:
    return request.param


def exchange(order: Any, sequence: Any = 1) -> Any:
    return encode_frame(Frame(2, sequence, b"".join(word.to_bytes(2, "big") for word in order)))


async def test_an_exchange_works(bench: Any, kind: Any) -> None:
    async with open_line(bench, kind) as line:
        line.write(READ_STATUS)
        (status,) = await line.frames(1)
        order = bench.host.words(Mode.COOL, echo=int.from_bytes(status.payload[:2], "big"))
        line.write(exchange(order, 200))
        (reply,) = await line.frames(1)
        assert (reply.type, reply.sequence) == (0x82, 200)
        assert bench.plant.relay_closed


async def test_garbage_split_merged_and_one_byte_at_a_time(bench: Any, kind: Any) -> None:
    async with open_line(bench, kind) as line:
        line.write(b"\r\nAT\x03\x11\x13\x7f\x00" + READ_STATUS + READ_STATUS)
        assert len(await line.frames(2)) == 2
        for byte in READ_STATUS:
            line.write(bytes([byte]))
            await asyncio.sleep(0.002)
        assert len(await line.frames(1)) == 1
        line.write(READ_STATUS[:3])
        await asyncio.sleep(0.02)
        line.write(READ_STATUS[3:] + READ_STATUS[:2])
        assert len(await line.frames(1)) == 1
        line.write(READ_STATUS[2:])
        assert len(await line.frames(1)) == 1
        assert bench.firmware.bad_frames == 1


async def test_a_bad_crc_is_silent(bench: Any, kind: Any) -> None:
    async with open_line(bench, kind) as line:
        line.write(bytes([*READ_STATUS[:-2], READ_STATUS[-2] ^ 0x40, 0]))
        await line.silent()
        assert bench.firmware.bad_frames == 1
        line.write(READ_STATUS)
        assert len(await line.frames(1)) == 1


async def test_every_byte_value_passes_unchanged(bench: Any, kind: Any) -> None:
    async with open_line(bench, kind) as line:
        line.write(encode_frame(Frame(0x7E, 5, bytes(range(250)))))
        (reply,) = await line.frames(1)
        assert reply.payload == b"\x02\x00"


async def test_the_wand_is_brought_to_now_before_bytes_are_handled(bench: Any, kind: Any) -> None:
    now = [10.0]
    pacer = Pacer(bench.simulator, lambda: now[0])
    async with open_line(bench, kind, pacer.catch_up) as line:
        now[0] += 0.1137
        line.write(READ_STATUS)
        (status,) = await line.frames(1)
        assert bench.simulator.time_s == pytest.approx(0.02 + 0.1137)
        assert int.from_bytes(status.payload[2:6], "big") == 120


async def test_the_pacer_keeps_the_cadence_without_drift(bench: Any) -> None:
    pacer = Pacer(bench.simulator, time.monotonic)
    started, first = time.monotonic(), bench.simulator.time_s
    task = asyncio.create_task(pacer.run())
    await asyncio.sleep(0.3)
    time.sleep(0.1)  # noqa: ASYNC251  # a stall of the loop, to be caught up
    await asyncio.sleep(0.1)
    task.cancel()
    pacer.catch_up()
    assert bench.simulator.time_s - first == pytest.approx(time.monotonic() - started, abs=0.02)
    assert bench.firmware.sequence == int(bench.simulator.time_s / 0.02 + 1e-6)


# --- pty ------------------------------------------------------------------------------------------------------------


async def test_a_host_that_leaves_and_comes_back_finds_the_wand(bench: Any) -> None:
    async with PtyPort(SerialSlave(bench.firmware), lambda: None) as port:
        for _ in range(3):
            descriptor = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
            try:
                termios.tcflush(descriptor, termios.TCIOFLUSH)
                Line(descriptor).write(READ_STATUS)
                assert len(await Line(descriptor).frames(1)) == 1
            finally:
                os.close(descriptor)
            await asyncio.sleep(0.02)


async def test_replies_nobody_reads_are_lost_and_counted(bench: Any) -> None:
    async with PtyPort(SerialSlave(bench.firmware), lambda: None) as port:
        descriptor = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
        try:
            line = Line(descriptor)
            async with asyncio.timeout(5):
                while not port.overruns:
                    line.write(READ_STATUS * 20)
                    await asyncio.sleep(0.002)
            termios.tcflush(descriptor, termios.TCIOFLUSH)
            await asyncio.sleep(0.05)
            termios.tcflush(descriptor, termios.TCIOFLUSH)
            line.write(b"\0" + READ_STATUS)
            assert (await line.frames(1))[-1].type == 0x83
        finally:
            os.close(descriptor)


async def test_the_port_is_raw_before_the_first_byte(bench: Any) -> None:
    async with PtyPort(SerialSlave(bench.firmware), lambda: None) as port:
        descriptor = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
        try:
            assert not termios.tcgetattr(descriptor)[tty.LFLAG] & (termios.ECHO | termios.ICANON)
        finally:
            os.close(descriptor)


async def test_a_link_is_made_replaced_and_taken_away(bench: Any, tmp_path: Any) -> None:
    link = tmp_path / "wand"
    link.symlink_to("/dev/pts/nowhere")
    async with PtyPort(SerialSlave(bench.firmware), lambda: None, link) as port:
        assert port.path == str(link)
        assert str(link.readlink()) == port.device
    assert list(tmp_path.iterdir()) == []


async def test_a_link_made_by_another_since_is_left_alone(bench: Any, tmp_path: Any) -> None:
    link = tmp_path / "wand"
    async with PtyPort(SerialSlave(bench.firmware), lambda: None, link):
        link.unlink()
        link.symlink_to("/dev/null")
    assert str(link.readlink()) == "/dev/null"


async def test_a_link_in_use_is_refused_and_left_as_it_is(bench: Any, tmp_path: Any) -> None:
    link = tmp_path / "wand"
    (tmp_path / "other").symlink_to(tmp_path)
    async with PtyPort(SerialSlave(bench.firmware), lambda: None, link) as port:
        for path in (link, tmp_path / "other" / "wand"):
            before = open_descriptors()
            with pytest.raises(PortUnavailableError, match="running"):
                async with PtyPort(SerialSlave(bench.firmware), lambda: None, path):
                    pass
            assert open_descriptors() == before
        assert str(link.readlink()) == port.device
        async with PtyPort(SerialSlave(bench.firmware), lambda: None, tmp_path / "another"):
            assert str(link.readlink()) == port.device
    async with PtyPort(SerialSlave(bench.firmware), lambda: None, link) as port:
        assert str(link.readlink()) == port.device


async def test_a_link_to_anything_but_a_pty_is_left_alone(bench: Any, tmp_path: Any) -> None:
    link = tmp_path / "wand"
    link.symlink_to("/dev/null")
    with pytest.raises(PortUnavailableError, match="another path"):
        async with PtyPort(SerialSlave(bench.firmware), lambda: None, link):
            pass
    assert str(link.readlink()) == "/dev/null"


@pytest.mark.parametrize("where", ["file", "nowhere/wand"])
async def test_a_link_that_cannot_be_made_is_a_clear_error(bench: Any, tmp_path: Any, where: Any) -> None:
    (tmp_path / "file").write_text("mine")
    before = open_descriptors()
    with pytest.raises(PortUnavailableError, match=where):
        async with PtyPort(SerialSlave(bench.firmware), lambda: None, tmp_path / where):
            pass
    assert (tmp_path / "file").read_text() == "mine"
    assert open_descriptors() == before


async def test_no_pty_is_a_clear_error(bench: Any, monkeypatch: Any) -> None:
    def none_left() -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "openpty", none_left)
    with pytest.raises(PortUnavailableError, match="No space left"):
        async with PtyPort(SerialSlave(bench.firmware), lambda: None):
            pass


# --- TCP ------------------------------------------------------------------------------------------------------------


async def test_half_frames_of_two_clients_never_mix(bench: Any) -> None:
    async with TcpPort(lambda: SerialSlave(bench.firmware), lambda: None, FREE) as port:
        where = (port.address.host, port.address.port)
        with socket.create_connection(where) as one, socket.create_connection(where) as two:
            first, second = Line(one.fileno()), Line(two.fileno())
            first.write(READ_STATUS[:3])
            second.write(READ_STATUS)
            assert len(await second.frames(1)) == 1
            first.write(READ_STATUS[3:])
            assert len(await first.frames(1)) == 1


async def test_clients_past_the_limit_are_turned_away(bench: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(tcp_port, "MAX_CLIENTS", 1)
    async with TcpPort(lambda: SerialSlave(bench.firmware), lambda: None, FREE) as port:
        where = (port.address.host, port.address.port)
        _, first = await asyncio.open_connection(*where)
        await asyncio.sleep(0.05)
        reader, second = await asyncio.open_connection(*where)
        try:
            data = await asyncio.wait_for(reader.read(1), 2)
        except ConnectionResetError:
            data = b""
        assert data == b""
        assert len(port.clients) == 1
        for writer in (first, second):
            writer.close()
        async with asyncio.timeout(2):
            while port.clients:  # the port tells nobody when a client leaves
                await asyncio.sleep(0.01)


async def test_a_client_that_reads_nothing_is_disconnected(bench: Any) -> None:
    async with TcpPort(lambda: SerialSlave(bench.firmware), lambda: None, FREE) as port:
        host = socket.create_connection((port.address.host, port.address.port))
        host.setblocking(False)
        gone = False
        with host:
            async with asyncio.timeout(40):
                while not gone:
                    try:
                        host.send(READ_STATUS * 500)
                    except BlockingIOError:
                        pass
                    except ConnectionError:
                        gone = True
                    await asyncio.sleep(0)
        assert not port.clients


async def test_a_taken_port_is_a_clear_error(bench: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(PortUnavailableError, match=f"{address}.*another port"):
            async with TcpPort(lambda: SerialSlave(bench.firmware), lambda: None, address):
                pass


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:0", "127.0.0.1:0"), ("localhost:7", "127.0.0.1:7"), ("[::1]:65535", "[::1]:65535")],
)
def test_addresses(text: Any, address: Any) -> None:
    assert str(parse_address(text)) == address


@pytest.mark.parametrize(
    "text", ["", ":1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:²"]
)
def test_what_is_no_address(text: Any) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_address(text)


@pytest.mark.parametrize("text", ["0.0.0.0:1", "192.168.1.2:1", "[::]:1", "example.org:1"])
def test_hosts_that_others_could_reach_are_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="loopback"):
        parse_address(text)
