"""Modbus exchanges: ``ModbusWand.exchange`` beside pymodbus's own client doing the same FC 23 to the same slave.

The bare client is called as its documentation shows, with ``retries=0`` and a list of words: it checks unit and CRC, or
the transaction number, and gives back a list of words. Rounds of the two alternate, and a round's ratio is taken with
its neighbour's.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient

from benchmarks import processes as p
from benchmarks.figures import Row, Section, percentile, spread
from cryodevice.device.modbus_framing import Framing, RtuFraming, TcpFraming
from cryodevice.device.modbus_wand import ModbusWand
from cryodevice.quantities import U16, Celsius, Milliseconds, Seconds
from cryodevice.runtime.liveness import freeze_gc
from cryodevice.transport import open_link
from cryodevice.wire.blocks import Order, Status, pack_order, unpack_status
from cryodevice.wire.codes import Mode
from cryodevice.wire.modbus import silence_s
from cryodevice.wire.registers import ORDER_BASE, STATUS_BASE, STATUS_COUNT

TIMEOUT_S = Seconds(0.5)
GOAL = 0.85
BAUD = 115_200
UNIT = 1
TOKEN = 0x4B1D
LEASE_MS = Milliseconds(500)
Client = AsyncModbusSerialClient | AsyncModbusTcpClient


@dataclass(frozen=True, slots=True)
class Round:
    """One round: its rate, and how long each exchange took, s."""

    rate: float
    took_s: tuple[float, ...]


def run(*, quick: bool) -> Section:
    rounds, count = (3, 256) if quick else (21, 512)
    freeze_gc()
    rows: list[Row] = []
    with p.wand("--modbus-rtu", "auto", "--modbus-tcp", f"{p.HOST}:0") as wand:
        for line in ("RTU over a pty", "TCP on loopback"):
            ours, bare = asyncio.run(_turns(line, wand.endpoints, rounds, count))
            rows += _rows(line, ours, bare)
        kept = asyncio.run(_with_silence(str(wand.endpoints["modbus_rtu"]), max(64, count // 8)))
    return Section(
        "modbus",
        "Modbus exchanges (FC 23, 8 registers out, 32 back)",
        "bare pymodbus",
        tuple(rows),
        (
            "Bare pymodbus: its asyncio client with retries=0, given and giving words. Ours besides packs the order and "
            "unpacks the status, verifies function, count, length and the order shown, drops what came before, and keeps a deadline.",
            f"{rounds} rounds of each in turn, {count} exchanges a round; ratio: median, lowest and highest of the rounds. "
            "The simulated wand judged every order, the bare client's too, and accepted every one.",
            f"A pty has no bit time, so both went without the silence between RTU frames, which pymodbus never keeps. "
            f"With the {silence_s(BAUD) * 1e3:.2f} ms of {BAUD} baud, as the daemon runs it: {kept:.0f} /s; the control loop asks for 20.",
        ),
    )


def _rows(line: str, ours: Sequence[Round], bare: Sequence[Round]) -> list[Row]:
    ratios = [mine.rate / other.rate for mine, other in zip(ours, bare, strict=True)]
    rates = [median(done.rate for done in side) for side in (ours, bare)]
    what = f"exchanges per second, {line}"
    rows = [Row(what, f"{rates[0]:.0f} /s", f"{rates[1]:.0f} /s", spread(ratios), f">= {GOAL}", median(ratios) >= GOAL)]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        took = [median(percentile(done.took_s, share) for done in side) * 1e6 for side in (ours, bare)]
        ratio = f"{took[0] / took[1]:.2f}"
        rows.append(Row(f"{name} of one exchange, {line}", f"{took[0]:.0f} us", f"{took[1]:.0f} us", ratio))
    return rows


async def _turns(line: str, endpoints: dict[str, object], rounds: int, count: int) -> tuple[list[Round], list[Round]]:
    ours: list[Round] = []
    bare: list[Round] = []
    for _ in range(rounds):
        wand, client = _masters(line, endpoints)
        identity = await wand.connect(Seconds(5.0))
        judged = await _started(wand, identity.boot_id)
        before = judged.status
        ours.append(await _timed(judged.exchange, count))
        _all_accepted(before, judged.status, count)
        wand.close()
        if not await client.connect():
            raise p.BenchmarkError(f"pymodbus does not connect over {line}")
        words = _Words(client, identity.boot_id, judged.status)
        before = words.status
        bare.append(await _timed(words.exchange, count))
        _all_accepted(before, words.status, count)
        client.close()
        await asyncio.sleep(0)
    return ours, bare


def _masters(line: str, endpoints: dict[str, object]) -> tuple[ModbusWand, Client]:
    if line.startswith("RTU"):
        port = str(endpoints["modbus_rtu"])
        framing: Framing = RtuFraming(UNIT, Seconds(0.0))
        return ModbusWand(open_link(port), framing), AsyncModbusSerialClient(
            port, baudrate=BAUD, timeout=TIMEOUT_S, retries=0
        )
    host, number = str(endpoints["modbus_tcp"]).rsplit(":", 1)
    return ModbusWand(open_link(f"socket://{host}:{number}"), TcpFraming(UNIT)), AsyncModbusTcpClient(
        host, port=int(number), timeout=TIMEOUT_S, retries=0
    )


async def _with_silence(port: str, count: int) -> float:
    """Exchanges per second with the silence of the standard between frames."""
    wand = ModbusWand(open_link(port), RtuFraming(UNIT, silence_s(BAUD)))
    judged = await _started(wand, (await wand.connect(Seconds(5.0))).boot_id)
    done = await _timed(judged.exchange, count)
    wand.close()
    return done.rate


def _armed(sequence: int, echo: int, boot_id: int) -> Order:
    """A live lease at zero power."""
    return Order(sequence % U16, Mode.OFF, Celsius(8.0), LEASE_MS, echo, boot_id, TOKEN)


@dataclass(slots=True)
class _Judged:
    """Orders that echo the status before, as the control loop's do."""

    wand: ModbusWand
    boot_id: int
    status: Status

    async def exchange(self) -> None:
        order = _armed(self.status.order_sequence + 1, self.status.sequence, self.boot_id)
        self.status = (await self.wand.exchange(order, TIMEOUT_S)).status


class _Words:
    """The same orders as words made before the clock starts, but for sequence and echo."""

    def __init__(self, client: Client, boot_id: int, status: Status) -> None:
        self._client = client
        self._order = pack_order(_armed(0, 0, boot_id))
        self._status = [0] * STATUS_COUNT
        self._status[0], self._status[19] = status.sequence, status.order_sequence
        self._begun = status

    @property
    def status(self) -> Status:
        return unpack_status(self._status) if any(self._status[1:19]) else self._begun

    async def exchange(self) -> None:
        words, status = self._order, self._status
        words[0], words[4] = (status[19] + 1) % U16, status[0]
        reply = await self._client.readwrite_registers(
            read_address=STATUS_BASE, read_count=STATUS_COUNT, write_address=ORDER_BASE, values=words, device_id=UNIT
        )
        self._status = reply.registers


async def _started(wand: ModbusWand, boot_id: int) -> _Judged:
    """A wand whose lease is over and which has our token."""
    stop = Order(1, Mode.OFF, Celsius(0.0), Milliseconds(0), 0, boot_id, TOKEN)
    await wand.exchange(stop, TIMEOUT_S)
    return _Judged(wand, boot_id, (await wand.exchange(stop, TIMEOUT_S)).status)


def _all_accepted(before: Status, after: Status, count: int) -> None:
    accepted = (after.order_epoch - before.order_epoch) % U16
    if accepted != count or after.refusals != before.refusals or after.token != TOKEN:
        raise p.BenchmarkError(f"the wand accepted {accepted} of {count} orders, last refusal {after.last_refusal}")


async def _timed(exchange: Callable[[], Awaitable[None]], count: int) -> Round:
    took = []
    began = time.perf_counter()
    for _ in range(count):
        at = time.perf_counter()
        await exchange()
        took.append(time.perf_counter() - at)
    return Round(count / (time.perf_counter() - began), tuple(took))
