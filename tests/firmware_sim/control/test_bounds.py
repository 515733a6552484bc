"""What the server bears: too much, too slow, too many, no HTTP at all. It answers what it can and goes on."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from cryodevice.errors import PortUnavailableError
from firmware_sim.control import requests, routes, server
from firmware_sim.control.bench import Bench
from firmware_sim.control.port import ControlPort
from firmware_sim.endpoints.loopback import Address
from tests.firmware_sim.control.conftest import read_answer

HEAD = b"PATCH /hand HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


async def ends(reader: asyncio.StreamReader) -> bool:
    with suppress(ConnectionResetError):
        return await asyncio.wait_for(reader.read(), 3) == b""
    return True


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 20000\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5000\r\n" + b" " * 0x5000 + b"\r\n0\r\n\r\n",
    ],
    ids=["said", "chunked"],
)
async def test_a_body_too_long_is_413(served: Any, body: bytes):
    answer = await served.raw(HEAD + body)
    assert (answer.status, answer.json["error"]) == (413, "a body may have 16384 bytes")
    assert (await served.ask("GET", "/truth")).status == 200


async def test_a_body_that_does_not_come_is_408(served: Any, monkeypatch: Any):
    monkeypatch.setattr(requests, "BODY_S", 0.05)
    answer = await served.raw(HEAD + b'Content-Length: 17\r\n\r\n{"cont')
    assert answer.status == 408
    assert served.wand.plant.contact is False


@pytest.mark.parametrize(
    "garbage",
    [b"get truth\n\n", b"\x05\x03\x2a\xd0\x7b\x00\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 9000],
    ids=["words", "frame", "version", "long"],
)
async def test_no_http_is_400_in_one_sentence(served: Any, garbage: bytes):
    answer = await served.raw(garbage)
    assert answer.status == 400
    assert answer.json["error"].startswith("this is no HTTP request: ")
    assert "\n" not in answer.json["error"]
    assert (await served.ask("GET", "/truth")).status == 200


async def test_one_connection_carries_many_requests_and_pipelines(served: Any):
    reader, writer = await served.connect()
    for contact in (b"true", b"false"):
        body = b'{"contact": %s}' % contact
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    writer.write(b"GET /hand HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert [(await read_answer(reader)).json["contact"] for _ in range(3)] == [True, False, False]
    await hang_up(writer)


async def test_a_connection_too_many_is_told_so(served: Any, monkeypatch: Any):
    monkeypatch.setattr(server, "MAX_CLIENTS", 1)
    reader, writer = await served.connect()
    writer.write(b"GET /hand HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await read_answer(reader)).status == 200
    answer = await served.ask("GET", "/hand")
    assert (answer.status, "1 connections" in answer.json["error"]) == (503, True)
    await hang_up(writer)
    for _ in range(50):
        if (await served.ask("GET", "/hand")).status == 200:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the place was not given back")


@pytest.mark.parametrize("said", [b"", b"GET /truth HT", HEAD], ids=["nothing", "half a line", "half a head"])
async def test_a_connection_that_asks_nothing_is_closed(bench: Any, monkeypatch: Any, said: bytes):
    monkeypatch.setattr(server, "IDLE_S", 0.05)
    monkeypatch.setattr(server, "_SWEEP_S", 0.02)
    async with ControlPort(Bench(bench.simulator, None), Address("127.0.0.1", 0), {}) as control:  # type: ignore[arg-type]
        reader, writer = await asyncio.open_connection(control.address.host, control.address.port)
        writer.write(said)
        assert await ends(reader)
        await hang_up(writer)


async def test_the_server_ends_with_clients_connected(bench: Any):
    async with ControlPort(Bench(bench.simulator, None), Address("127.0.0.1", 0), {}) as control:  # type: ignore[arg-type]
        reader, writer = await asyncio.open_connection(control.address.host, control.address.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await read_answer(reader)).status == 200
    assert await ends(reader)
    await hang_up(writer)


async def test_a_port_that_is_taken_is_one_sentence(served: Any, bench: Any):
    with pytest.raises(PortUnavailableError, match=r"the control cannot listen on .*; give another port"):
        async with ControlPort(Bench(bench.simulator, served.pacer), served.address, {}):
            pass


async def test_a_mistake_of_ours_is_500_in_one_sentence_and_the_wand_goes_on(
    served: Any, monkeypatch: Any, caplog: Any
):
    (truth,) = (route for route in routes.ROUTES if route.path == "/truth")
    monkeypatch.setattr(requests, "find", lambda *_: (truth, {"x": 1}))
    monkeypatch.setattr(server, "find", lambda *_: (truth, {"x": 1}))
    answer = await served.ask("GET", "/truth")
    assert (answer.status, "please report it: TypeError" in answer.json["error"]) == (500, True)
    assert "GET /truth" in caplog.text
    monkeypatch.undo()
    assert (await served.ask("GET", "/truth")).status == 200
