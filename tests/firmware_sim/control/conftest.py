"""A control served in this process on a wand in simulated time, and raw HTTP to it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from firmware_sim.control.bench import Bench
from firmware_sim.control.port import ControlPort
from firmware_sim.endpoints.loopback import Address
from firmware_sim.endpoints.pacer import Pacer


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    json: Any


@dataclass
class Served:
    """The wand, its clock, and the server's address."""

    wand: Any
    pacer: Pacer
    clock: list[float]
    address: Address

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.address.host, self.address.port)

    async def raw(self, request: bytes) -> Answer:
        """The answer to bytes as they are."""
        reader, writer = await self.connect()
        writer.write(request)
        try:
            return await read_answer(reader)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request; a body that is not bytes goes as JSON."""
        fields = {"host": str(self.address), "connection": "close"}
        data = b""
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            fields |= {"content-type": "application/json", "content-length": str(len(data))}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
        return await self.raw(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + data)


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 3)).decode().splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await asyncio.wait_for(reader.readexactly(int(headers["content-length"])), 3)
    return Answer(int(head[0].split()[1]), headers, json.loads(body) if body else None)


@pytest.fixture
async def served(bench: Any) -> AsyncIterator[Served]:
    clock = [100.0]
    pacer = Pacer(bench.simulator, lambda: clock[0])
    async with ControlPort(Bench(bench.simulator, pacer), Address("127.0.0.1", 0), {"serial": "/dev/x"}) as port:
        yield Served(bench, pacer, clock, port.address)
