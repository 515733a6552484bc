"""The control socket: every command, every refusal, over a real connection too."""

import asyncio
import dataclasses
import json
from contextlib import suppress
from typing import Any

import pytest

from firmware_sim import control
from firmware_sim.control import HELP, Commands, ControlPort
from firmware_sim.endpoints.loopback import Address


@pytest.fixture
def execute(bench: Any) -> Any:
    return Commands(bench.simulator).execute


def test_help_lists_every_command(execute: Any) -> None:
    assert execute("help") == {"ok": True, "help": list(HELP)}


def test_truth_and_time(bench: Any, execute: Any) -> None:
    assert execute("get truth")["truth"] == bench.simulator.truth()
    assert execute("get time") == {"ok": True, "time_s": 0.02, "uptime_ms": 20}
    assert execute("get disturbances")["disturbances"]["relay_welded"] is False
    assert execute("get quirks")["quirks"]["magic"] is None


@pytest.mark.parametrize("name", ["contact", "trigger", "estop", "tip", "motion"])
def test_switches(bench: Any, execute: Any, name: Any) -> None:
    for word, value in (("on", True), ("off", False)):
        assert execute(f"set {name} {word}") == {"ok": True, name: value}
        assert getattr(bench.plant, name) is value


@pytest.mark.parametrize(
    ("line", "attribute", "value"),
    [
        ("set zone left_cheek", "zone", "left_cheek"),
        ("set conductance 500", "conductance_w_m2k", 500.0),
        ("set ambient -3.5", "ambient_degc", -3.5),
        ("set humidity 80", "humidity_pct", 80.0),
    ],
)
def test_settings(bench: Any, execute: Any, line: Any, attribute: Any, value: Any) -> None:
    assert execute(line)["ok"]
    assert getattr(bench.plant, attribute) == value


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("disturb plate_a_open on", True),
        ("disturb plate_a_offset_k -2.5", -2.5),
        ("disturb drive_stuck_a 2", 2.0),
        ("disturb drive_stuck_a none", None),
        ("quirk hang_safety_task on", True),
        ("quirk lease_report_offset_ms -40", -40),
        ("quirk magic 0x1111", 0x1111),
        ("quirk uptime_rate 1.03", 1.03),
        ("quirk setpoint_min_degc -5", -5.0),
        ("quirk magic none", None),
    ],
)
def test_disturbances_and_quirks(bench: Any, execute: Any, line: Any, value: Any) -> None:
    what, name, _ = line.split()
    assert execute(line) == {"ok": True, name: value}
    record = bench.plant.disturbances if what == "disturb" else bench.firmware.quirks
    assert getattr(record, name) == value


def test_a_disturbance_acts(bench: Any, execute: Any) -> None:
    execute("disturb plate_a_open on")
    bench.run(0.02)
    assert execute("get truth")["truth"]["trip"] == "plate_sensor"


def test_faults_are_injected_listed_and_cleared(bench: Any, execute: Any) -> None:
    assert execute("inject plate_open channel=both duration_s=2") == {"ok": True, "id": 1}
    assert execute("inject late_replies delay_ms=450 start_s=9 count=3") == {"ok": True, "id": 2}
    bench.run(0.04)
    assert execute("get truth")["truth"]["trip"] == "plate_sensor"
    listed = execute("get faults")["faults"]
    assert [(one["id"], one["name"], one["running"], one["fired"]) for one in listed] == [
        (1, "plate_open", True, 2),
        (2, "late_replies", False, 0),
    ]
    assert listed == execute("get truth")["truth"]["faults_active"]
    assert [one["id"] for one in execute("clear 1")["faults"]] == [2]
    assert execute("clear") == {"ok": True, "faults": []}


def test_reboot(bench: Any, execute: Any) -> None:
    assert execute("reboot") == {"ok": True, "boot_id": 2}
    assert execute("reboot watchdog") == {"ok": True, "boot_id": 3}
    assert execute("get truth")["truth"]["trip"] == "watchdog"


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("", "help, get, set"),
        ("fly", "help, get, set"),
        ("help me", "help"),
        ("get", "get WHAT"),
        ("get lucky", "truth, time"),
        ("set contact", "set NAME VALUE"),
        ("set contact maybe", "on, off"),
        ("set plate 3", "contact, trigger"),
        ("set zone moon", "left_cheek"),
        ("set conductance -1", "from 0 to 100000"),
        ("set ambient nan", "from -40 to 60"),
        ("set ambient 1e9", "from -40 to 60"),
        ("disturb plate_a_open 1", "on, off"),
        ("disturb nothing on", "plate_a_offset_k"),
        ("disturb plate_a_offset_k inf", "from -1000 to 1000"),
        ("disturb fan_stalled none", "on, off"),
        ("quirk magic 65536", "65535"),
        ("quirk magic -1", "register"),
        ("quirk magic x", "whole number"),
        ("quirk", "quirk NAME VALUE"),
        ("quirk refuse_orders 77", "none, 0, 1, 2"),
        ("quirk setpoint_offset_k 251", "from -250 to 250"),
        ("inject", "inject FAULT"),
        ("inject plate_opn", "did you mean plate_open"),
        ("inject plate_open side=a", "it has: channel"),
        ("inject plate_open a", "no key=value"),
        ("inject plate_offset offset_k=1e9", "-100 … 100 K"),
        ("clear 7", "ids in force or waiting: none"),
        ("clear soon", "whole number"),
        ("clear 1 2", "clear [ID]"),
        ("reboot soon", "watchdog"),
        ("reboot watchdog now", "reboot"),
        ("\0\x1b[2J", "help"),
    ],
)
def test_what_cannot_be_done_says_what_can(bench: Any, execute: Any, line: Any, allowed: Any) -> None:
    before = state(bench)
    reply = execute(line)
    assert reply["ok"] is False
    assert allowed in reply["error"]
    assert state(bench) == before


def state(bench: Any) -> Any:
    records = (bench.plant.disturbances, bench.firmware.quirks)
    return (bench.simulator.truth(), *map(dataclasses.asdict, records))


# --- over a connection ----------------------------------------------------------------------------------------------


async def ask(reader: Any, writer: Any, line: Any) -> Any:
    writer.write(line.encode() + b"\n")
    return json.loads(await asyncio.wait_for(reader.readline(), 2))


async def test_several_clients_each_get_one_line_per_line(bench: Any) -> None:
    async with ControlPort(bench.simulator, lambda: bench.simulator.advance(0.01), Address("127.0.0.1", 0)) as port:
        where = (port.address.host, port.address.port)
        one, two = await asyncio.open_connection(*where), await asyncio.open_connection(*where)
        assert (await ask(*one, "set contact on"))["ok"]
        truth = (await ask(*two, "get truth"))["truth"]
        assert truth["contact"] is True
        assert truth["time_s"] == pytest.approx(0.04)
        one[1].write(b"get time\nset estop on\r\n")
        assert "time_s" in json.loads(await one[0].readline())
        assert json.loads(await one[0].readline()) == {"ok": True, "estop": True}
        one[1].close()
        two[1].write(b"set tip off")
        two[1].close()
    assert bench.plant.tip is True


async def test_a_line_too_long_is_refused_and_the_client_sent_away(bench: Any) -> None:
    async with ControlPort(bench.simulator, lambda: None, Address("127.0.0.1", 0)) as port:
        reader, writer = await asyncio.open_connection(port.address.host, port.address.port)
        assert "1024" in (await ask(reader, writer, "x" * 5000))["error"]
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()


async def test_clients_past_the_limit_are_sent_away(bench: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(control, "MAX_CLIENTS", 1)
    async with ControlPort(bench.simulator, lambda: None, Address("127.0.0.1", 0)) as port:
        where = (port.address.host, port.address.port)
        one = await asyncio.open_connection(*where)
        assert (await ask(*one, "help"))["ok"]
        reader, writer = await asyncio.open_connection(*where)
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()
        one[1].close()
