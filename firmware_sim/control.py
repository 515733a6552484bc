"""The control socket: lines of words in, one JSON line out each.

Sets the hand, the room and the faults, and reads the truth. The commands are a table; nothing here knows physics or
rules. Loopback only, no login: whoever is on this machine may break the simulated wand.
"""

import asyncio
import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, get_args, get_type_hints

from cryodevice.errors import CryodeviceError
from cryodevice.wire.codes import Refusal
from firmware_sim.endpoints.loopback import Address, unavailable
from firmware_sim.faults import injection_from_words
from firmware_sim.firmware import BootCause
from firmware_sim.simulator import Simulator

MAX_LINE = 1024
"""Longest command line, bytes."""
MAX_CLIENTS = 8
_FIELD_MAX = 1000.0
"""Largest fault in kelvin, watts or amperes: far past every cut-out, and the plant's arithmetic still holds."""
_LIE_MAX = 250.0
"""Largest quirk in kelvin or degC: with a setpoint it still fits its register."""

HELP = (
    "help",
    "get truth|time|disturbances|quirks|faults",
    "set contact|trigger|estop|tip|motion on|off",
    "set zone NAME",
    "set conductance W_M2K",
    "set ambient DEGC",
    "set humidity PCT",
    "disturb NAME VALUE",
    "quirk NAME VALUE",
    "inject FAULT [PARAMETER=VALUE ...] [start_s=S] [duration_s=S] [count=N]",
    "clear [ID]",
    "reboot [power_on|watchdog|brown_out]",
)
_SWITCHES = ("contact", "trigger", "estop", "tip", "motion")
_NUMBERS = {
    "conductance": ("conductance_w_m2k", 0.0, 1e5),
    "ambient": ("ambient_degc", -40.0, 60.0),
    "humidity": ("humidity_pct", 0.0, 100.0),
}


class _BadWordsError(Exception):
    """A command that cannot be carried out; the message says what is allowed."""


class Commands:
    """Carries out command lines on one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._table: Mapping[str, Callable[[Sequence[str]], dict[str, Any]]] = {
            "help": self._help,
            "get": self._get,
            "set": self._set,
            "disturb": self._disturb,
            "quirk": self._quirk,
            "inject": self._inject,
            "clear": self._clear,
            "reboot": self._reboot,
        }

    def execute(self, line: str) -> dict[str, Any]:
        """The reply to one line: ``ok`` and what was asked for, or ``ok`` false and an ``error``: what is allowed."""
        words = line.split()
        try:
            name = _one_of("command", words[0] if words else "", self._table)
            return {"ok": True, **self._table[name](words[1:])}
        except (_BadWordsError, CryodeviceError) as error:
            return {"ok": False, "error": str(error)}

    def _help(self, words: Sequence[str]) -> dict[str, Any]:
        _count(words, 0, "help")
        return {"help": list(HELP)}

    def _get(self, words: Sequence[str]) -> dict[str, Any]:
        _count(words, 1, "get WHAT")
        simulator = self._simulator
        match _one_of("get", words[0], ("truth", "time", "disturbances", "quirks", "faults")):
            case "truth":
                return {"truth": simulator.truth()}
            case "time":
                firmware = simulator.firmware
                return {"time_s": simulator.time_s, "uptime_ms": firmware.now_ms - firmware.boot_ms}
            case "disturbances":
                return {"disturbances": dataclasses.asdict(simulator.plant.disturbances)}
            case "faults":
                return {"faults": simulator.faults.active()}
            case _:
                return {"quirks": dataclasses.asdict(simulator.firmware.quirks)}

    def _set(self, words: Sequence[str]) -> dict[str, Any]:
        _count(words, 2, "set NAME VALUE")
        plant = self._simulator.plant
        name = _one_of("set", words[0], (*_SWITCHES, "zone", *_NUMBERS))
        if name == "zone":
            value: object = _one_of("zone", words[1], plant.truth().contact_s)
            plant.zone = words[1]
        elif name in _NUMBERS:
            attribute, low, high = _NUMBERS[name]
            value = _number(name, words[1], low, high)
            setattr(plant, attribute, value)
        else:
            value = _switch(name, words[1])
            setattr(plant, name, value)
        return {name: value}

    def _disturb(self, words: Sequence[str]) -> dict[str, Any]:
        _count(words, 2, "disturb NAME VALUE")
        return _set_field(self._simulator.plant.disturbances, "disturbance", words, _FIELD_MAX)

    def _quirk(self, words: Sequence[str]) -> dict[str, Any]:
        _count(words, 2, "quirk NAME VALUE")
        firmware = self._simulator.firmware
        before = getattr(firmware.quirks, words[0], None)
        reply = _set_field(firmware.quirks, "quirk", words, _LIE_MAX)
        if firmware.quirks.refuse_orders not in {None, *Refusal}:
            firmware.quirks.refuse_orders = before
            raise _BadWordsError(
                f"refuse_orders: {words[1]!r} is not one of: none, {', '.join(map(str, map(int, Refusal)))}"
            )
        try:
            firmware.identity_words()
        except CryodeviceError:
            setattr(firmware.quirks, words[0], before)  # a lie that fits no register cannot be told
            raise
        return reply

    def _inject(self, words: Sequence[str]) -> dict[str, Any]:
        if not words:
            raise _BadWordsError("the form is: inject FAULT [PARAMETER=VALUE ...]")
        return {"id": self._simulator.faults.inject(injection_from_words(words[0], words[1:]))}

    def _clear(self, words: Sequence[str]) -> dict[str, Any]:
        _count(words[1:], 0, "clear [ID]")
        faults = self._simulator.faults
        faults.clear(_whole("id", words[0]) if words else None)
        return {"faults": faults.active()}

    def _reboot(self, words: Sequence[str]) -> dict[str, Any]:
        causes = {cause.name.lower(): cause for cause in BootCause}
        cause = causes[_one_of("reboot", words[0], causes)] if words else BootCause.POWER_ON
        _count(words[1:], 0, "reboot [CAUSE]")
        self._simulator.reboot(cause)
        return {"boot_id": self._simulator.firmware.boot_id}


def _set_field(record: Any, what: str, words: Sequence[str], limit: float) -> dict[str, Any]:
    """Set one field of a switch board by its declared type."""
    types = get_type_hints(type(record))
    name = _one_of(what, words[0], types)
    text = words[1]
    kinds = get_args(types[name]) or (types[name],)
    value: object
    if bool in kinds:
        value = _switch(name, text)
    elif type(None) in kinds and text == "none":
        value = None
    elif int in kinds:
        value = _whole(name, text)
    else:
        value = _number(name, text, -limit, limit)
    setattr(record, name, value)
    return {name: value}


def _one_of(what: str, word: str, allowed: Sequence[str] | Mapping[str, Any]) -> str:
    if word not in allowed:
        raise _BadWordsError(f"{what}: {word[:40]!r} is not one of: {', '.join(allowed)}")
    return word


def _count(words: Sequence[str], count: int, form: str) -> None:
    if len(words) != count:
        raise _BadWordsError(f"the form is: {form}")


def _switch(name: str, text: str) -> bool:
    return _one_of(name, text, ("on", "off")) == "on"


def _number(name: str, text: str, low: float, high: float) -> float:
    with suppress(ValueError):
        value = float(text)
        if low <= value <= high:
            return value
    raise _BadWordsError(f"{name}: {text[:40]!r} is no number from {low:g} to {high:g}")


def _whole(name: str, text: str) -> int:
    with suppress(ValueError):
        value = int(text, 0)
        if math.isfinite(value) and abs(value) <= 0xFFFF:
            return value
    raise _BadWordsError(f"{name}: {text[:40]!r} is no whole number from -65535 to 65535 (0x... is understood)")


class ControlPort:
    """Serves ``Commands`` on a loopback port; to be used as an asynchronous context manager.

    Args:
        simulator: What the commands act on.
        catch_up: Called before each command; brings the wand's time to now.
        address: Where to listen; afterwards with the real port.

    Raises:
        PortUnavailableError: The port is taken or not permitted.
    """

    def __init__(self, simulator: Simulator, catch_up: Callable[[], None], address: Address) -> None:
        self._commands = Commands(simulator)
        self._catch_up = catch_up
        self.address = address
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(self._serve, self.address.host, self.address.port, limit=MAX_LINE)
        except OSError as error:
            raise unavailable("the control socket", self.address, error) from error
        self.address = Address(self.address.host, self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            serving = [task for task in self._clients.values() if task is not None]
            for writer in tuple(self._clients):
                writer.transport.abort()
            await asyncio.gather(*serving, return_exceptions=True)
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= MAX_CLIENTS:
            writer.close()
            return
        self._clients[writer] = asyncio.current_task()
        try:
            with suppress(ConnectionError):
                await self._answer_lines(reader, writer)
        finally:
            del self._clients[writer]
            writer.close()

    async def _answer_lines(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                line = await reader.readline()
            except ValueError:  # longer than the limit: where the next line begins is not known
                await _say(writer, {"ok": False, "error": f"a line may have {MAX_LINE} bytes"})
                return
            if not line.endswith(b"\n"):
                return
            self._catch_up()
            await _say(writer, self._commands.execute(line.decode("utf-8", "replace")))


async def _say(writer: asyncio.StreamWriter, reply: dict[str, Any]) -> None:
    writer.write(json.dumps(reply).encode() + b"\n")
    await writer.drain()
