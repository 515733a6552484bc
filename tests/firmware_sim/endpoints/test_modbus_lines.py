"""Modbus on real ptys and real TCP: the matrix of bad requests, silence by the real clock, many clients."""

import asyncio
import os
import socket
import time
from contextlib import asynccontextmanager
from typing import Any

import pytest

from firmware_sim.endpoints.modbus_rtu import RtuSlave
from firmware_sim.endpoints.modbus_tcp import TcpSlave
from firmware_sim.endpoints.pacer import Pacer
from firmware_sim.endpoints.pty_port import PtyPort
from firmware_sim.endpoints.tcp_port import MAX_CLIENTS, TcpPort
from tests.firmware_sim.endpoints import modbus_host as host
from tests.firmware_sim.endpoints.test_ports import FREE, Line

GOOD = host.rtu(host.GOOD)
REPLY = 5 + 64


class ModbusLine(Line):
    """The host's end, counting bytes and time."""

    async def read(self, number: Any, within_s: Any = 2.0) -> Any:
        found = b""
        async with asyncio.timeout(within_s):
            while len(found) < number:
                await asyncio.sleep(0.0005)
                try:
                    found += os.read(self.descriptor, 65536)
                except BlockingIOError:
                    continue
        return found

    async def answer(self, pdu: Any, kind: Any, size: Any) -> Any:
        """The reply's PDU to one good frame."""
        if kind == "pty":
            self.write(host.rtu(pdu))
            return host.pdu_of(await self.read(size + 3))
        self.write(host.mbap(pdu, transaction=77))
        reply = await self.read(size + 7)
        assert reply[:7] == bytes.fromhex("004D 0000") + (size + 1).to_bytes(2, "big") + b"\x01"
        return reply[7:]


@asynccontextmanager
async def rtu_line(bench: Any) -> Any:
    catch_up = Pacer(bench.simulator, time.monotonic).catch_up
    async with PtyPort(RtuSlave(bench.firmware), catch_up) as port:
        descriptor = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
        try:
            yield ModbusLine(descriptor)
        finally:
            os.close(descriptor)


@asynccontextmanager
async def tcp_port(bench: Any, patience_s: Any = 5.0) -> Any:
    catch_up = Pacer(bench.simulator, time.monotonic).catch_up
    new = lambda: TcpSlave(bench.firmware, patience_s=patience_s)  # noqa: E731
    async with TcpPort(new, catch_up, FREE, "Modbus TCP", eldest_gives_way=True) as port:
        yield port


@asynccontextmanager
async def open_line(bench: Any, kind: Any) -> Any:
    if kind == "pty":
        async with rtu_line(bench) as line:
            yield line
    else:
        async with tcp_port(bench) as port:
            with connect(port) as client:
                yield ModbusLine(client.fileno())


def connect(port: Any) -> Any:
    return socket.create_connection((port.address.host, port.address.port))


async def closed(client: Any, within_s: Any = 2.0) -> Any:
    """What still came before the other end closed."""
    client.setblocking(False)
    found = b""
    async with asyncio.timeout(within_s):
        while True:
            try:
                data = await asyncio.get_running_loop().sock_recv(client, 4096)
            except ConnectionError:
                return found
            if not data:
                return found
            found += data


@pytest.fixture(params=["pty", "tcp"])
def kind(request: Any) -> Any:
    return request.param


async def test_an_exchange_works(bench: Any, kind: Any) -> None:
    async with open_line(bench, kind) as line:
        status = host.words_of(await line.answer(host.GOOD, kind, 66))
        order = bench.host.words(1, echo=status[0])
        status = host.words_of(await line.answer(host.exchange(order), kind, 66))
        assert (status[3], status[19]) == (2, order[0])
        assert bench.plant.relay_closed


async def test_every_request_that_cannot_be_carried_out_is_its_exception(bench: Any, kind: Any) -> None:
    async with open_line(bench, kind) as line:
        before = host.unchanged(bench.firmware)
        for request, code in host.EXCEPTIONS.values():
            assert await line.answer(request, kind, 2) == host.exception(request, code)
        assert host.unchanged(bench.firmware) == before
        assert bench.firmware.bad_frames == 0


async def test_other_units_and_broadcasts_are_silent(bench: Any, kind: Any) -> None:
    frame = host.rtu if kind == "pty" else host.mbap
    async with open_line(bench, kind) as line:
        before = host.unchanged(bench.firmware)
        for unit in (0, 2, 255):
            line.write(frame(host.exchange(host.STOP), unit) + frame(host.GOOD, unit))
        await line.silent(0.03)
        assert host.unchanged(bench.firmware) == before
        line.write(frame(host.write_one(host.SCRATCH, 5), 0))
        await line.silent(0.03)
        assert bench.firmware.scratch == 5
        assert host.words_of(await line.answer(host.read(host.SCRATCH, 1), kind, 4)) == [5]


@pytest.mark.parametrize("fault", host.FAULTS, ids=lambda fault: fault.name)
async def test_the_first_good_request_after_a_fault_is_answered(bench: Any, fault: Any) -> None:
    async with rtu_line(bench) as line:
        for piece in fault.pieces:
            line.write(piece)
        if fault.replies:
            await line.read(REPLY * fault.replies)
        await line.silent(0.03)
        line.write(GOOD)
        assert len(await line.read(REPLY)) == REPLY
        assert bench.firmware.bad_frames == fault.bad_frames


async def test_a_request_in_single_bytes_is_answered(bench: Any) -> None:
    async with rtu_line(bench) as line:
        for _ in range(20):
            last_s, worst_s = time.monotonic(), 0.0
            for piece in host.DRIP.pieces:
                line.write(piece)
                await asyncio.sleep(host.DRIP_S)
                worst_s, last_s = max(worst_s, time.monotonic() - last_s), time.monotonic()
            if worst_s < 0.004:  # else this machine itself was silent, and the frame ended there
                assert len(await line.read(REPLY)) == REPLY
                return
            await asyncio.sleep(0.05)
    pytest.fail("this machine is too busy to send a byte each 2 ms, 20 times over")


async def test_silence_ends_a_frame_and_what_follows_is_another(bench: Any) -> None:
    async with rtu_line(bench) as line:
        line.write(GOOD[:5])
        await line.silent(0.03)
        line.write(GOOD[5:])
        await line.silent(0.03)
        assert bench.firmware.bad_frames == 2


# --- TCP ------------------------------------------------------------------------------------------------------------


async def test_thirty_requests_in_one_piece_are_answered_in_order(bench: Any) -> None:
    async with open_line(bench, "tcp") as line:
        line.write(b"".join(host.mbap(host.read(0, 1), transaction=tid) for tid in range(30)))
        replies = await line.read(30 * 11)
        assert [int.from_bytes(replies[at : at + 2], "big") for at in range(0, 330, 11)] == list(range(30))


async def test_a_wrong_protocol_id_closes_the_connection_after_the_replies_before_it(bench: Any) -> None:
    async with tcp_port(bench) as port:
        with connect(port) as client, connect(port) as other:
            client.sendall(host.mbap(host.GOOD) + host.mbap(host.GOOD, protocol=7) + host.mbap(host.GOOD))
            assert len(await closed(client)) == 73
            assert len(await ask(other)) == 73


async def test_half_a_header_is_waited_for_and_then_closed(bench: Any) -> None:
    async with tcp_port(bench, patience_s=0.15) as port:
        with connect(port) as idle, connect(port) as half:
            half.sendall(host.mbap(host.GOOD)[:3])
            began = time.monotonic()
            assert await closed(half) == b""
            assert 0.14 < time.monotonic() - began < 1.5
            assert len(await ask(idle)) == 73
            await asyncio.sleep(0.2)
            assert len(await ask(idle)) == 73
            assert bench.firmware.bad_frames == 1


async def ask(client: Any) -> Any:
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, host.mbap(host.GOOD))
    async with asyncio.timeout(2):
        return await loop.sock_recv(client, 4096)


async def test_of_a_hundred_clients_the_one_idle_longest_gives_way(bench: Any) -> None:
    clients: list[Any] = []
    async with tcp_port(bench) as port:
        master = connect(port)
        try:
            assert len(await ask(master)) == 73
            for number in range(100):
                clients.append(connect(port))
                await asyncio.sleep(0.002)
                assert len(port.clients) <= MAX_CLIENTS
                if number % 4 == 3:
                    assert len(await ask(clients[-1])) == 73
                    assert len(await ask(master)) == 73
            assert await closed(clients[0]) == b""
            assert len(await ask(clients[-1])) == 73
            assert len(await ask(master)) == 73
        finally:
            for client in (master, *clients):
                client.close()


async def test_half_requests_of_two_clients_never_mix(bench: Any) -> None:
    async with tcp_port(bench) as port:
        with connect(port) as one, connect(port) as two:
            one.sendall(host.mbap(host.GOOD)[:9])
            await asyncio.sleep(0.01)
            assert len(await ask(two)) == 73
            one.sendall(host.mbap(host.GOOD)[9:])
            assert len(await ModbusLine(one.fileno()).read(73)) == 73


async def test_a_client_that_reads_nothing_is_disconnected_and_keeps_no_other_waiting(bench: Any) -> None:
    async with tcp_port(bench) as port:
        greedy, other = connect(port), connect(port)
        with greedy, other:
            greedy.setblocking(False)
            gone = False
            async with asyncio.timeout(40):
                while not gone:
                    try:
                        greedy.send(host.mbap(host.GOOD) * 500)
                    except BlockingIOError:
                        pass
                    except ConnectionError:
                        gone = True
                    await asyncio.sleep(0)
            assert len(await ask(other)) == 73
            assert len(port.clients) == 1
