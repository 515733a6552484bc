"""Exchanges over a real pty: ``SerialWand.exchange`` beside a bare asyncio stream that moves the same bytes.

The bare stream writes a finished request and reads to the delimiter: no codec, no check, no deadline. Rounds of the two
alternate, and a round's ratio is taken with its neighbour's. The link alone, without a codec, goes in the same turn.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

import serial

from benchmarks import processes as p
from benchmarks import responder
from benchmarks.figures import Row, Section, percentile, spread
from cryodevice.device.serial_codec import exchange_request, status_of
from cryodevice.device.serial_wand import SerialWand
from cryodevice.quantities import U16, Celsius, Milliseconds, Seconds
from cryodevice.runtime.liveness import freeze_gc
from cryodevice.transport import open_link
from cryodevice.transport.link import Link
from cryodevice.wire.blocks import Order, Status
from cryodevice.wire.codes import Mode
from cryodevice.wire.frame import decode_frame

TIMEOUT_S = Seconds(0.5)
GOAL = 0.8
BAUD = 115_200
TOKEN = 0x4B1D
LEASE_MS = Milliseconds(1000)
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Round:
    """One round: its rate, and how long each exchange took, s."""

    rate: float
    took_s: tuple[float, ...]


def run(*, quick: bool) -> Section:
    rounds, count = (3, 512) if quick else (21, 2048)
    on_wand, on_line = count // 8, count // 32
    freeze_gc()
    with p.module("benchmarks.responder") as (_, said):
        ours, bare, link = asyncio.run(_neutral(str(said["port"]), rounds, count))
    with p.wand() as wand:
        wand_ours, wand_bare = asyncio.run(_simulated(wand.port, rounds, on_wand))
    with p.module("benchmarks.responder", str(BAUD)) as (_, said):
        slow_ours, slow_bare, _ = asyncio.run(_neutral(str(said["port"]), max(3, rounds // 4), on_line))
    return Section(
        "exchange",
        "Exchanges over a pty",
        "bare stream",
        (
            *_rows("lookup responder", ours, bare, GOAL),
            *_rows("simulated wand", wand_ours, wand_bare, GOAL),
            *_rows("link alone, lookup responder", link, bare)[:1],
            *_rows(f"lookup responder at {BAUD} baud", slow_ours, slow_bare),
        ),
        (
            "Bare stream: asyncio's own streams on the same pty, opened by pyserial; the same bytes out and back, "
            "written finished and read to the delimiter, without codec, check or deadline. Link alone: the project's "
            "serial link with its deadlines and the drop of what came before, the same finished bytes, no codec.",
            f"{rounds} rounds of each in turn; ratio: median, lowest and highest of the rounds. The lookup responder "
            f"answers from a table ({count} exchanges a round); the simulated wand judged every order, the bare "
            f"stream's too, and accepted every one ({on_wand} a round). A pty has no bit time; at {BAUD} baud the "
            f"responder waits as long as the bytes of request and reply would take on a line ({on_line} a round).",
        ),
    )


def _rows(peer: str, ours: Sequence[Round], bare: Sequence[Round], goal: float | None = None) -> list[Row]:
    ratios = [mine.rate / other.rate for mine, other in zip(ours, bare, strict=True)]
    rates = [median(done.rate for done in side) for side in (ours, bare)]
    said = ("", None) if goal is None else (f">= {goal}", median(ratios) >= goal)
    rows = [Row(f"exchanges per second, {peer}", f"{rates[0]:.0f} /s", f"{rates[1]:.0f} /s", spread(ratios), *said)]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        took = [median(percentile(done.took_s, share) for done in side) * 1e6 for side in (ours, bare)]
        ratio = f"{took[0] / took[1]:.2f}"
        rows.append(Row(f"{name} of one exchange, {peer}", f"{took[0]:.0f} us", f"{took[1]:.0f} us", ratio))
    return rows


async def _neutral(port: str, rounds: int, count: int) -> tuple[list[Round], list[Round], list[Round]]:
    """Rounds of the driver, of the bare stream and of the link alone, against the lookup responder."""
    requests = responder.requests()
    orders = [responder.order(sequence) for sequence in range(responder.CYCLE)]
    ours: list[Round] = []
    bare: list[Round] = []
    alone: list[Round] = []
    for _ in range(rounds):
        async with _link(port) as link:
            wand = SerialWand(link)
            # The driver's first frame has sequence 1 and follows a delimiter: before the clock starts.
            await wand.exchange(orders[1], TIMEOUT_S)
            turn = [orders[(number + 2) % responder.CYCLE] for number in range(count)]
            ours.append(await _timed(_driver(wand), turn))
        finished = [requests[number % responder.CYCLE] for number in range(count)]
        async with _stream(port) as (reader, writer):
            bare.append(await _timed(_bare(reader, writer), finished))
        async with _link(port) as link:
            alone.append(await _timed(_link_alone(link), finished))
    return ours, bare, alone


async def _simulated(port: str, rounds: int, count: int) -> tuple[list[Round], list[Round]]:
    """The same on the simulated wand, every order with a live lease; sees from the wand that all were accepted."""
    ours: list[Round] = []
    bare: list[Round] = []
    sequence = 1
    for _ in range(rounds):
        wand = SerialWand(open_link(port))
        identity = await wand.connect(Seconds(5.0))
        stop = Order(sequence, Mode.OFF, Celsius(0.0), Milliseconds(0), 0, identity.boot_id, TOKEN)
        before = (await wand.exchange(stop, TIMEOUT_S)).status
        judged = _Judged(wand, identity.boot_id, before)
        ours.append(await _timed(judged.exchange, [(sequence + 1 + number) % U16 for number in range(count)]))
        _all_accepted(before, judged.status, count)
        before = (await wand.read_status(TIMEOUT_S)).status
        wand.close()
        sequence = (sequence + count) % U16
        orders = [_armed((sequence + 1 + number) % U16, before.sequence, identity.boot_id) for number in range(count)]
        finished = [exchange_request(number % 256, order) for number, order in enumerate(orders)]
        async with _stream(port) as (reader, writer):
            bare.append(await _timed(_bare(reader, writer), finished[:-1]))
            last = await _bare(reader, writer)(finished[-1])
        _all_accepted(before, status_of(decode_frame(last[:-1])), count)
        sequence = (sequence + count + 1) % U16
    return ours, bare


@dataclass(slots=True)
class _Judged:
    """Orders that echo the status before, as the control loop's do."""

    wand: SerialWand
    boot_id: int
    status: Status

    async def exchange(self, sequence: int) -> None:
        order = _armed(sequence, self.status.sequence, self.boot_id)
        self.status = (await self.wand.exchange(order, TIMEOUT_S)).status


def _armed(sequence: int, echo: int, boot_id: int) -> Order:
    """A live lease at zero power."""
    return Order(sequence, Mode.OFF, Celsius(8.0), LEASE_MS, echo, boot_id, TOKEN)


def _all_accepted(before: Status, after: Status, count: int) -> None:
    accepted = (after.order_epoch - before.order_epoch) % U16
    if accepted != count or after.refusals != before.refusals or after.token != TOKEN:
        raise p.BenchmarkError(f"the wand accepted {accepted} of {count} orders, last refusal {after.last_refusal}")


async def _timed(exchange: Callable[[Item], Awaitable[object]], items: Sequence[Item]) -> Round:
    took = []
    began = time.perf_counter()
    for item in items:
        at = time.perf_counter()
        await exchange(item)
        took.append(time.perf_counter() - at)
    return Round(len(items) / (time.perf_counter() - began), tuple(took))


def _driver(wand: SerialWand) -> Callable[[Order], Awaitable[object]]:
    return lambda order: wand.exchange(order, TIMEOUT_S)


def _bare(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Callable[[bytes], Awaitable[bytes]]:
    def exchange(request: bytes) -> Awaitable[bytes]:
        writer.write(request)
        return reader.readuntil(b"\0")

    return exchange


def _link_alone(link: Link) -> Callable[[bytes], Awaitable[None]]:
    async def exchange(request: bytes) -> None:
        deadline_s = Seconds(asyncio.get_running_loop().time() + TIMEOUT_S)
        link.discard()
        await link.send(request, deadline_s)
        while not (await link.receive(deadline_s)).endswith(b"\0"):
            pass

    return exchange


@contextlib.asynccontextmanager
async def _link(port: str) -> AsyncIterator[Link]:
    link = open_link(port)
    await link.open(Seconds(asyncio.get_running_loop().time() + 2.0))
    try:
        yield link
    finally:
        link.close()


@contextlib.asynccontextmanager
async def _stream(port: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """The streams of asyncio itself, over a port that pyserial opened."""
    loop = asyncio.get_running_loop()
    with serial.Serial(port, BAUD, timeout=0, exclusive=True) as line:
        reader = asyncio.StreamReader()
        incoming, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), line)
        outgoing, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, line)
        writer = asyncio.StreamWriter(outgoing, protocol, reader, loop)
        try:
            yield reader, writer
        finally:
            incoming.close()
            outgoing.close()
            await asyncio.sleep(0)
