"""Serial and TCP links on real ptys and sockets: deadlines, bounds, hang-ups, and nothing left behind."""

import asyncio
import fcntl
import os
import socket
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cryodevice.errors import LinkClosedError, LinkTimeoutError, PortUnavailableError
from cryodevice.quantities import Seconds
from cryodevice.transport import Link, open_link
from cryodevice.transport.link import RECEIVE_LIMIT
from cryodevice.transport.serial_link import SerialLink


def soon(seconds: float = 2.0) -> Seconds:
    return Seconds(asyncio.get_running_loop().time() + seconds)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Far:
    """The far end of an open link, blocking-free: a pty's master or an accepted socket."""

    def __init__(self, descriptor: int, keep: int = -1) -> None:
        self.descriptor, self._keep = descriptor, keep
        os.set_blocking(descriptor, False)

    def say(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.descriptor, data) :]

    def heard(self) -> bytes:
        out = b""
        try:
            while piece := os.read(self.descriptor, 65536):
                out += piece
        except (BlockingIOError, OSError):
            pass
        return out

    def hang_up(self) -> None:
        for descriptor in (self.descriptor, self._keep):
            if descriptor >= 0:
                os.close(descriptor)
        self.descriptor = self._keep = -1


@contextmanager
def listening() -> Iterator[tuple[socket.socket, str]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server, f"socket://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(params=["pty", "tcp"])
async def line(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Link, Far]]:
    if request.param == "pty":
        master, slave = os.openpty()
        tty.setraw(slave)
        far = Far(master, slave)
        link = open_link(os.ttyname(slave))
        await link.open(soon())
    else:
        with listening() as (server, url):
            link = open_link(url)
            await link.open(soon())
            accepted, _ = await asyncio.get_running_loop().sock_accept(server)
            far = Far(accepted.detach())
    yield link, far
    link.close()
    far.hang_up()


async def test_bytes_go_both_ways(line: tuple[Link, Far]) -> None:
    link, far = line
    everything = bytes(range(256))
    await link.send(everything, soon())
    await asyncio.sleep(0.05)
    assert far.heard() == everything, "all 256 values pass: nothing on the line is cooked"
    far.say(everything)
    got = b""
    while len(got) < 256:
        got += await link.receive(soon())
    assert got == everything


async def test_receive_keeps_its_deadline(line: tuple[Link, Far]) -> None:
    link, _ = line
    loop = asyncio.get_running_loop()
    begin = loop.time()
    with pytest.raises(LinkTimeoutError):
        await link.receive(soon(0.05))
    assert 0.049 <= loop.time() - begin < 0.5
    with pytest.raises(LinkTimeoutError):
        await link.receive(soon(-1.0))
    assert link.is_open, "a time-out is not a hang-up"


async def test_what_has_come_is_given_even_after_the_deadline(line: tuple[Link, Far]) -> None:
    link, far = line
    far.say(b"abc")
    await asyncio.sleep(0.05)
    assert await link.receive(soon(-1.0)) == b"abc"


async def test_discard_drops_what_came_in_both_buffers(line: tuple[Link, Far]) -> None:
    link, far = line
    far.say(b"one")
    await asyncio.sleep(0.05)
    far.say(b"four")  # the loop has had no turn since: these four are still in the kernel
    assert link.discard() == 7
    assert link.discard() == 0
    far.say(b"new")
    assert await link.receive(soon()) == b"new"
    assert link.is_open


async def test_a_full_line_is_a_time_out_and_goes_on_when_drained(line: tuple[Link, Far]) -> None:
    link, far = line
    with pytest.raises(LinkTimeoutError, match="took no more bytes"):
        await link.send(bytes(64 * 1024 * 1024), soon(0.2))
    assert not asyncio.get_running_loop().remove_writer(link._fd), "left registered it spins"
    sending = asyncio.create_task(link.send(b"END", soon(3.0)))
    heard = b""
    for _ in range(3000):
        heard = (heard + far.heard())[-3:]
        await asyncio.sleep(0.001)
        if heard == b"END":
            break
    await sending
    assert heard == b"END"
    assert not asyncio.get_running_loop().remove_writer(link._fd)
    far.say(b"still here")
    assert await link.receive(soon()) == b"still here"


async def test_what_nobody_takes_is_bounded_and_the_newest_is_kept(line: tuple[Link, Far]) -> None:
    link, far = line
    for n in range(200):
        far.say(bytes([n]) * 1000)
        await asyncio.sleep(0.0005)
    await asyncio.sleep(0.05)
    kept = await link.receive(soon())
    assert len(kept) == RECEIVE_LIMIT
    assert kept.endswith(bytes([198]) * 1000 + bytes([199]) * 1000)


async def test_a_hang_up_wakes_the_one_who_waits(line: tuple[Link, Far]) -> None:
    link, far = line
    waiting = asyncio.create_task(link.receive(soon(5.0)))
    await asyncio.sleep(0.02)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    far.hang_up()
    with pytest.raises(LinkClosedError):
        await waiting
    assert loop.time() - begin < 0.5
    assert not link.is_open
    with pytest.raises(LinkClosedError):
        await link.send(b"x", soon())
    assert link.discard() == 0


async def test_a_hang_up_wakes_the_one_who_sends(line: tuple[Link, Far]) -> None:
    link, far = line
    sending = asyncio.create_task(link.send(bytes(64 * 1024 * 1024), soon(5.0)))
    await asyncio.sleep(0.05)
    far.hang_up()
    with pytest.raises(LinkClosedError):
        await sending


async def test_the_last_bytes_before_a_hang_up_are_given(line: tuple[Link, Far]) -> None:
    link, far = line
    far.say(b"last words")
    await asyncio.sleep(0.05)
    far.hang_up()
    await asyncio.sleep(0.05)
    assert await link.receive(soon()) == b"last words"
    with pytest.raises(LinkClosedError):
        await link.receive(soon())


async def test_closing_wakes_and_may_be_repeated(line: tuple[Link, Far]) -> None:
    link, _ = line
    waiting = asyncio.create_task(link.receive(soon(5.0)))
    await asyncio.sleep(0.02)
    link.close()
    link.close()
    with pytest.raises(LinkClosedError, match="closed here"):
        await waiting


async def test_a_cancelled_receive_leaves_the_link_usable(line: tuple[Link, Far]) -> None:
    link, far = line
    waiting = asyncio.create_task(link.receive(soon(5.0)))
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    far.say(b"next")
    assert await link.receive(soon()) == b"next"


async def test_two_receivers_are_a_mistake_that_is_named(line: tuple[Link, Far]) -> None:
    link, far = line
    waiting = asyncio.create_task(link.receive(soon(5.0)))
    await asyncio.sleep(0.02)
    with pytest.raises(RuntimeError, match="two tasks receive"):
        await link.receive(soon())
    far.say(b"x")
    assert await waiting == b"x"


async def test_opening_twice_is_a_mistake_that_is_named(line: tuple[Link, Far]) -> None:
    link, _ = line
    with pytest.raises(RuntimeError, match="open already"):
        await link.open(soon())


async def test_a_link_never_opened_is_closed() -> None:
    link = open_link("/dev/null")
    assert not link.is_open
    with pytest.raises(LinkClosedError, match="never opened"):
        await link.receive(soon())


# --- serial ports -----------------------------------------------------------------------------------------------


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


async def test_a_port_has_one_owner_and_the_second_is_told_who(pty: tuple[int, str]) -> None:
    first, second = open_link(pty[1]), open_link(pty[1])
    await first.open(soon())
    files = open_files()
    with pytest.raises(PortUnavailableError, match=f"is in use by .*pid {os.getpid()}"):
        await second.open(soon())
    assert open_files() == files
    first.close()
    await second.open(soon())
    second.close()


async def test_another_process_is_refused_too_and_a_killed_one_leaves_the_port_free(pty: tuple[int, str]) -> None:
    code = (
        f"import serial,time; p = serial.Serial({pty[1]!r}, exclusive=True); print('held', flush=True); time.sleep(30)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)  # noqa: ASYNC220  # the port's other owner
    try:
        assert holder.stdout is not None
        assert await asyncio.to_thread(holder.stdout.readline) == b"held\n"
        with pytest.raises(PortUnavailableError, match=f"pid {holder.pid}"):
            await open_link(pty[1]).open(soon())
    finally:
        holder.kill()
        await asyncio.to_thread(holder.wait)
        if holder.stdout is not None:
            holder.stdout.close()
    link = open_link(pty[1])
    await link.open(soon())
    link.close()


async def test_a_pty_is_opened_raw_whatever_parity_is_asked(pty: tuple[int, str]) -> None:
    link = SerialLink(pty[1], 250_000, "E", 2)
    await link.open(soon())
    assert link._handle is not None
    modes = termios.tcgetattr(link._handle.fileno())
    assert not modes[3] & (termios.ICANON | termios.ECHO)
    assert modes[6][termios.VMIN] == 1
    assert fcntl.fcntl(link._handle.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK
    link.close()


async def test_bytes_from_before_the_open_are_gone(pty: tuple[int, str]) -> None:
    os.write(pty[0], b"an old reply")
    link = open_link(pty[1])
    await link.open(soon())
    with pytest.raises(LinkTimeoutError):
        await link.receive(soon(0.05))
    link.close()


@pytest.mark.parametrize("thing", ["file", "folder", "/dev/null"])
async def test_what_is_no_serial_port_says_so(tmp_path: Path, thing: str) -> None:
    path = tmp_path / thing if not thing.startswith("/") else Path(thing)
    if thing == "file":
        path.write_text("not a tty")
    elif thing == "folder":
        path.mkdir()
    files = open_files()
    with pytest.raises(PortUnavailableError, match="is not a serial port"):
        await open_link(str(path)).open(soon())
    assert open_files() == files


async def test_a_missing_port_says_so_and_where_to_look() -> None:
    with pytest.raises(PortUnavailableError, match=r"there is no /dev/ttyNONE.*/dev/serial/by-id"):
        await open_link("/dev/ttyNONE").open(soon())


# --- TCP --------------------------------------------------------------------------------------------------------


async def test_a_refused_connection_says_so() -> None:
    with listening() as (server, url):
        server.close()
        with pytest.raises(PortUnavailableError, match="nothing listens on that port"):
            await open_link(url).open(soon())


async def test_an_unknown_host_says_so() -> None:
    with pytest.raises((PortUnavailableError, LinkTimeoutError), match=r"not known|in time"):
        await open_link("socket://no-such-host.invalid:4000").open(soon(5.0))


async def test_a_host_whose_name_is_not_looked_up_in_time_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()

    def no_name_server(*_: object, **__: object) -> list[object]:
        asked.wait(5.0)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", no_name_server)
    try:
        with pytest.raises(LinkTimeoutError, match=r"the host name 'wand\.example' was not looked up in time"):
            await open_link("socket://wand.example:4000").open(soon(0.1))
    finally:
        asked.set()


async def test_a_host_that_takes_no_connection_is_a_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = []
        try:
            for _ in range(4):  # fill the queue of a server that never accepts
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(server.getsockname())
                waiting.append(filler)
            files = open_files()
            with pytest.raises(LinkTimeoutError, match="in time"):
                await open_link(f"socket://127.0.0.1:{server.getsockname()[1]}").open(soon(0.2))
            assert open_files() == files
        finally:
            for filler in waiting:
                filler.close()


async def test_a_half_open_connection_is_noticed_by_deadline() -> None:
    with listening() as (server, url):
        link = open_link(url)
        await link.open(soon())
        accepted, _ = await asyncio.get_running_loop().sock_accept(server)
        await link.send(b"anyone?", soon())
        with pytest.raises(LinkTimeoutError):
            await link.receive(soon(0.1))
        link.close()
        accepted.close()


async def test_small_frames_are_not_held_back() -> None:
    with listening() as (server, url):
        link = open_link(url)
        await link.open(soon())
        accepted, _ = await asyncio.get_running_loop().sock_accept(server)
        near = socket.socket(fileno=os.dup(link._handle.fileno()))  # type: ignore[attr-defined]
        assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert near.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        for each in (near, accepted):
            each.close()
        link.close()


async def test_a_storm_of_resets_leaks_nothing() -> None:
    """L14, at the transport: 50 connections reset by the peer."""
    loop = asyncio.get_running_loop()
    with listening() as (server, url):
        link = open_link(url)
        files, tasks = open_files(), len(asyncio.all_tasks())
        for _ in range(50):
            await link.open(soon())
            accepted, _ = await loop.sock_accept(server)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            accepted.close()
            with pytest.raises(LinkClosedError):
                await link.receive(soon())
        assert open_files() == files
        assert len(asyncio.all_tasks()) == tasks


async def test_fifty_cancelled_opens_leak_nothing(pty: tuple[int, str]) -> None:
    files = open_files()
    for n in range(50):
        link = open_link(pty[1])
        task = asyncio.create_task(link.open(soon()))
        await asyncio.sleep(0.0005 * (n % 5))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        link.close()
        await asyncio.sleep(0.005)
    for _ in range(100):
        if open_files() == files:
            break
        await asyncio.sleep(0.01)
    assert open_files() == files


async def test_closed_while_opening_stays_closed(pty: tuple[int, str]) -> None:
    files = open_files()
    link = open_link(pty[1])
    task = asyncio.create_task(link.open(soon()))
    await asyncio.sleep(0)
    link.close()
    with pytest.raises(LinkClosedError, match="while it was being opened"):
        await task
    assert not link.is_open
    assert open_files() == files
