"""Exchanges over a real pty: ``SerialWand.exchange`` beside a bare asyncio stream that moves the same bytes.

The bare stream writes a finished request and reads to the delimiter: no codec, no check, no deadline. Rounds of the two
alternate, and a round's ratio is taken with its neighbour's.
"""

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import serial

from benchmarks import processes as p
from benchmarks import responder
from benchmarks.figures import Row, Section, percentile, spread
from cryodevice.device.serial_codec import exchange_request, status_of
from cryodevice.device.serial_wand import SerialWand
from cryodevice.quantities import U16, Celsius, Milliseconds, Seconds
from cryodevice.runtime.liveness import freeze_gc
from cryodevice.transport import open_link
from cryodevice.wire.blocks import Order, Status
from cryodevice.wire.codes import Mode
from cryodevice.wire.frame import decode_frame

TIMEOUT_S = Seconds(0.5)
GOAL = 0.8
TOKEN = 0x4B1D
LEASE_MS = Milliseconds(1000)


@dataclass(frozen=True, slots=True)
class Round:
    """One round: its rate, and how long each exchange took, s."""

    rate: float
    took_s: tuple[float, ...]


def run(*, quick: bool) -> Section:
    rounds, count = (3, 512) if quick else (15, 2048)
    freeze_gc()
    with p.module("benchmarks.responder") as (_, said):
        neutral = asyncio.run(_neutral(str(said["port"]), rounds, count))
    with p.wand() as wand:
        simulated = asyncio.run(_simulated(wand.port, rounds, count // 8))
    return Section(
        "exchange",
        "Exchanges over a pty",
        "bare stream",
        (*_rows("lookup responder", *neutral), *_rows("simulated wand", *simulated)),
        (
            "Bare stream: asyncio's own streams on the same pty, opened by pyserial; the same bytes out and back, "
            "written finished and read to the delimiter, without codec, check or deadline.",
            f"{rounds} rounds of each in turn; ratio: median, lowest and highest of the rounds. The lookup responder "
            f"answers both from a table ({count} exchanges a round); the simulated wand judged every order, and "
            f"accepted every one ({count // 8} a round).",
        ),
    )


def _rows(peer: str, ours: Sequence[Round], bare: Sequence[Round]) -> list[Row]:
    ratios = [mine.rate / other.rate for mine, other in zip(ours, bare, strict=True)]
    middle = statistics.median(ratios)
    rates = [statistics.median(done.rate for done in side) for side in (ours, bare)]
    rows = [
        Row(
            f"exchanges per second, {peer}",
            f"{rates[0]:.0f} /s",
            f"{rates[1]:.0f} /s",
            spread(ratios),
            f">= {GOAL}",
            middle >= GOAL,
        )
    ]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        took = [statistics.median(percentile(done.took_s, share) for done in side) for side in (ours, bare)]
        rows.append(
            Row(
                f"{name} of one exchange, {peer}",
                f"{took[0] * 1e6:.0f} us",
                f"{took[1] * 1e6:.0f} us",
                f"{took[0] / took[1]:.2f}",
            )
        )
    return rows


async def _neutral(port: str, rounds: int, count: int) -> tuple[list[Round], list[Round]]:
    requests = responder.requests()
    orders = [responder.order(sequence) for sequence in range(responder.CYCLE)]
    ours, bare = [], []
    for _ in range(rounds):
        link = open_link(port)
        wand = SerialWand(link)
        await link.open(Seconds(asyncio.get_running_loop().time() + 2.0))
        # The driver's first frame has sequence 1 and follows a delimiter.
        await wand.exchange(orders[1], TIMEOUT_S)
        took = []
        began = time.perf_counter()
        for number in range(count):
            at = time.perf_counter()
            await wand.exchange(orders[(number + 2) % responder.CYCLE], TIMEOUT_S)
            took.append(time.perf_counter() - at)
        ours.append(Round(count / (time.perf_counter() - began), tuple(took)))
        wand.close()
        async with _stream(port) as (reader, writer):
            done, _ = await _bare_round(reader, writer, [requests[number % responder.CYCLE] for number in range(count)])
            bare.append(done)
    return ours, bare


async def _simulated(port: str, rounds: int, count: int) -> tuple[list[Round], list[Round]]:
    """The same on the simulated wand, every order with a live lease; sees from the wand that all were accepted."""
    ours, bare = [], []
    sequence = 1
    for _ in range(rounds):
        wand = SerialWand(open_link(port))
        identity = await wand.connect(Seconds(5.0))
        stop = Order(sequence, Mode.OFF, Celsius(0.0), Milliseconds(0), 0, identity.boot_id, TOKEN)
        before = after = (await wand.exchange(stop, TIMEOUT_S)).status
        took = []
        began = time.perf_counter()
        for _ in range(count):
            sequence = (sequence + 1) % U16
            order = _armed(sequence, after.sequence, identity.boot_id)
            at = time.perf_counter()
            after = (await wand.exchange(order, TIMEOUT_S)).status
            took.append(time.perf_counter() - at)
        ours.append(Round(count / (time.perf_counter() - began), tuple(took)))
        _all_accepted(before, after, count)
        before = (await wand.read_status(TIMEOUT_S)).status
        wand.close()
        orders = [_armed((sequence + 1 + n) % U16, before.sequence, identity.boot_id) for n in range(count)]
        sequence = (sequence + count) % U16
        async with _stream(port) as (reader, writer):
            done, last = await _bare_round(
                reader, writer, [exchange_request(number % 256, order) for number, order in enumerate(orders)]
            )
        bare.append(done)
        after = status_of(decode_frame(last[:-1]))
        _all_accepted(before, after, count)
        sequence = (sequence + 1) % U16
    return ours, bare


def _armed(sequence: int, echo: int, boot_id: int) -> Order:
    """A live lease at zero power."""
    return Order(sequence, Mode.OFF, Celsius(8.0), LEASE_MS, echo, boot_id, TOKEN)


def _all_accepted(before: Status, after: Status, count: int) -> None:
    accepted = (after.order_epoch - before.order_epoch) % U16
    if accepted != count or after.refusals != before.refusals or after.token != TOKEN:
        raise p.BenchmarkError(f"the wand accepted {accepted} of {count} orders, last refusal {after.last_refusal}")


async def _bare_round(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: Sequence[bytes]
) -> tuple[Round, bytes]:
    took, last = [], b""
    began = time.perf_counter()
    for request in requests:
        at = time.perf_counter()
        writer.write(request)
        last = await reader.readuntil(b"\0")
        took.append(time.perf_counter() - at)
    return Round(len(requests) / (time.perf_counter() - began), tuple(took)), last


@contextlib.asynccontextmanager
async def _stream(port: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """The streams of asyncio over a port that pyserial opened."""
    loop = asyncio.get_running_loop()
    with serial.Serial(port, 115_200, timeout=0, exclusive=True) as line:
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
