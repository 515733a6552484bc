"""A line between a wand object and the simulator that can be unplugged, or dead in one way. Knows no protocol."""

import asyncio
import os
import tty
from collections.abc import Callable
from pathlib import Path


class Relay:
    """What both kinds share.

    Attributes:
        dead: Ways, ``to_wand`` and ``to_host``, in which nothing passes and nobody is told.
    """

    port: str

    def __init__(self) -> None:
        self.dead: set[str] = set()

    def passed(self, way: str, data: bytes, onward: Callable[[bytes], None]) -> None:
        if way not in self.dead:
            onward(data)

    async def plug(self) -> None:
        raise NotImplementedError

    def unplug(self) -> None:
        raise NotImplementedError

    async def put_away(self) -> None:
        self.unplug()


class PtyRelay(Relay):
    """Host side a pty of its own behind a lasting name, wand side the simulator's pty."""

    def __init__(self, upstream: str, folder: Path) -> None:
        super().__init__()
        self._link = folder / "line"
        self.port = str(self._link)
        self._loop = asyncio.get_running_loop()
        self._wand = os.open(upstream, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._loop.add_reader(self._wand, self._from_wand)
        self._master = self._held = -1

    async def plug(self) -> None:
        self._master, self._held = os.openpty()
        tty.setraw(self._held)
        os.set_blocking(self._master, False)
        self._loop.add_reader(self._master, self._from_host)
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(os.ttyname(self._held))

    def unplug(self) -> None:
        if self._master >= 0:
            self._loop.remove_reader(self._master)
            os.close(self._master)
            os.close(self._held)
            self._master = self._held = -1

    async def put_away(self) -> None:
        self.unplug()
        self._loop.remove_reader(self._wand)
        os.close(self._wand)
        self._wand = -1

    def _from_host(self) -> None:
        self.passed("to_wand", os.read(self._master, 4096), self._to_wand)

    def _from_wand(self) -> None:
        self.passed("to_host", os.read(self._wand, 4096), self._to_host)

    def _to_wand(self, data: bytes) -> None:
        if self._wand >= 0:
            os.write(self._wand, data)

    def _to_host(self, data: bytes) -> None:
        if self._master >= 0:
            os.write(self._master, data)


class TcpRelay(Relay):
    """Each connection from the host has its own to the simulator."""

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self._upstream = upstream.removeprefix("socket://").rsplit(":", 1)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._number = 0

    async def plug(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._number)
        self._number = self._server.sockets[0].getsockname()[1]
        self.port = f"socket://127.0.0.1:{self._number}"

    async def _serve(self, host_in: asyncio.StreamReader, host_out: asyncio.StreamWriter) -> None:
        wand_in, wand_out = await asyncio.open_connection(*self._upstream)
        self._writers |= {host_out, wand_out}
        try:
            await asyncio.gather(self._pump("to_wand", host_in, wand_out), self._pump("to_host", wand_in, host_out))
        finally:
            self._writers -= {host_out, wand_out}

    async def _pump(self, way: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        def onward(data: bytes) -> None:
            if not sink.is_closing():
                sink.write(data)

        try:
            while data := await source.read(4096):
                self.passed(way, data, onward)
        except ConnectionError:
            pass
        finally:
            sink.close()

    def unplug(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def put_away(self) -> None:
        self.unplug()
        for _ in range(50):
            if not self._writers:
                break
            await asyncio.sleep(0.01)
