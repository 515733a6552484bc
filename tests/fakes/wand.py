"""A wand in memory, written by hand from docs/wire.md: a ``Wand`` without a line, for tests of what stands above it.

It keeps the rules of the lease and has no plant: measured values stand still, the drive current follows the mode.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from cryodevice.device.wand import Counters
from cryodevice.errors import LinkClosedError, LinkTimeoutError, OrderRefusedError, PortUnavailableError
from cryodevice.quantities import U16, Milliseconds, Seconds
from cryodevice.safety.readings import Reading, read
from cryodevice.wire.blocks import Identity, Order, Status
from cryodevice.wire.codes import Flag, Mode, Refusal, State, Trip
from cryodevice.wire.registers import RESET_KEY

TICK_S = 0.02
ECHOES = 128


class FakeWand:
    """``Wand`` on the running loop's clock.

    Attributes:
        plugged: Whether there is a line.
        latency_s: Of each round trip.
        estop: Pressed or not; latches a trip, as in a wand.
        orders: Every order that reached the wand.
    """

    name = "/dev/fake"

    def __init__(self, identity: Identity, resting: Status, clock: Callable[[], Seconds] | None = None) -> None:
        self.identity, self.resting = identity, resting
        self.plugged, self.latency_s, self.estop = True, 0.0, False
        self.orders: list[Order] = []
        self._clock = clock
        self._counters = Counters()
        self._open = False
        self._turn = asyncio.Lock()
        self._began_s = asyncio.get_running_loop().time() - TICK_S
        self._samples: deque[tuple[int, float, bool]] = deque(maxlen=ECHOES)
        self._mode, self._deadline_s, self._trip = Mode.OFF, 0.0, Trip.NONE
        self._token = self._last = self._epoch = self._refusal = self._refusals = 0
        self._last_order: Order | None = None

    @property
    def counters(self) -> Counters:
        return replace(self._counters)

    async def connect(self, timeout_s: Seconds) -> Identity:
        self._open = False
        if not self.plugged:
            raise PortUnavailableError(f"there is no {self.name}", port=self.name)
        self._open = True
        try:
            return await self.identify(timeout_s)
        except BaseException:
            self._open = False
            raise

    async def identify(self, timeout_s: Seconds) -> Identity:
        async with self._turn:
            await self._travel(timeout_s)
            return self.identity

    async def read_status(self, timeout_s: Seconds) -> Reading:
        async with self._turn:
            await self._travel(timeout_s)
            return self._reading()

    async def exchange(self, order: Order, timeout_s: Seconds) -> Reading:
        async with self._turn:
            await self._travel(timeout_s)
            self.orders.append(order)
            if refusal := self._receive(order):
                self._refusal, self._refusals = refusal, self._refusals + 1
                self._counters.refused += 1
                raise OrderRefusedError(f"refused: {refusal.name}", refusal=int(refusal), sequence=order.sequence)
            return self._reading()

    async def make_safe(self, token: int, boot_id: int, sequence: int, attempts: int = 3) -> bool:
        stop = Order(sequence, Mode.OFF, self.identity.setpoint_min_degc, Milliseconds(0), 0, boot_id, token)
        for _ in range(attempts):
            try:
                await self.exchange(stop, Seconds(0.1))
            except LinkTimeoutError:
                continue
            except LinkClosedError:
                return False
            return True
        return False

    def close(self) -> None:
        self._open = False

    async def _travel(self, timeout_s: Seconds) -> None:
        """One round trip; what was sent does not reach the wand when the answer would come too late."""
        if self._open and self.plugged:
            await asyncio.sleep(min(self.latency_s, timeout_s))
        if not (self._open and self.plugged):
            self._open = False
            raise LinkClosedError(f"{self.name} is closed", port=self.name)
        if self.latency_s > timeout_s:
            self._counters.timeouts += 1
            raise LinkTimeoutError(f"{self.name}: no answer", port=self.name)
        self._counters.exchanges += 1
        self._counters.round_trip_s = Seconds(max(self.latency_s, 1e-6))

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def _receive(self, order: Order) -> Refusal:
        self._expire()
        if order == self._last_order:
            return Refusal.NONE
        if not order.is_stop and (refusal := self._judge(order)):
            return refusal
        self._last_order, self._epoch = order, (self._epoch + 1) % U16
        was_live, self._deadline_s, self._mode = self._left_s() > 0.0, 0.0, order.mode
        if order.is_stop:
            if was_live and order.token != self._token:
                self._token = 0
            elif order.token:
                self._token, self._last = order.token, order.sequence
            return Refusal.NONE
        self._last = order.sequence
        if order.reset_key:
            self._trip = Trip.NONE
        else:
            self._deadline_s = self._sampled(order.echo)[0] + order.lease_ms / 1e3
        return Refusal.NONE

    def _judge(self, order: Order) -> Refusal:
        known = self._sampled(order.echo)
        drives = order.mode != Mode.OFF
        lease_s, leaseless = order.lease_ms / 1e3, not drives and order.lease_ms == 0
        checks = (
            (Refusal.BOOT_ID, order.boot_id == self.identity.boot_id),
            (Refusal.TOKEN, order.token == self._token != 0),
            (Refusal.SEQUENCE, 1 <= (order.sequence - self._last) % U16 <= 0x7FFF),
            (Refusal.MODE, order.mode in set(Mode)),
            (Refusal.TRIP_LATCHED, self._trip is Trip.NONE or leaseless),
            (
                Refusal.SETPOINT,
                not drives or self.identity.setpoint_min_degc <= order.setpoint_degc <= self.identity.setpoint_max_degc,
            ),
            (Refusal.LEASE_LENGTH, leaseless or 1 <= order.lease_ms <= self.identity.lease_max_ms),
            (Refusal.ECHO, bool(known) and (leaseless or known[0] + lease_s > self._now_s())),
            (
                Refusal.RESET,
                order.reset_key == 0
                or (order.reset_key == RESET_KEY and leaseless and bool(known) and known[1] and not self.estop),
            ),
        )
        return next((refusal for refusal, passed in checks if not passed), Refusal.NONE)

    def _sampled(self, echo: int) -> tuple[float, bool] | tuple[()]:
        """When the status of that sequence was sampled, and whether it showed a latched trip; empty when unknown."""
        return next(((at_s, tripped) for sequence, at_s, tripped in self._samples if sequence == echo), ())

    def _left_s(self) -> float:
        return max(0.0, self._deadline_s - self._now_s())

    def _expire(self) -> None:
        if self.estop and self._trip is Trip.NONE:
            self._trip = Trip.ESTOP
        if self._deadline_s and not self._left_s() and self._mode is not Mode.OFF and self._trip is Trip.NONE:
            self._trip = Trip.LEASE_EXPIRED
        if self._trip is not Trip.NONE or not self._left_s():
            self._deadline_s, self._mode = 0.0, Mode.OFF

    def _reading(self) -> Reading:
        self._expire()
        ticks = int((self._now_s() - self._began_s) / TICK_S)
        tripped, live = self._trip is not Trip.NONE, self._left_s() > 0.0
        self._samples.append((ticks % U16, self._began_s + ticks * TICK_S, tripped))
        resting = {Mode.OFF: State.ARMED if live else State.OFF, Mode.COOL: State.COOLING, Mode.WARM: State.WARMING}
        status = replace(
            self.resting,
            sequence=ticks % U16,
            uptime_ms=Milliseconds(round(ticks * TICK_S * 1e3)),
            state=State.TRIPPED if tripped else resting[self._mode],
            flags=self.resting.flags
            | (Flag.LEASE_LIVE | Flag.RELAY_CLOSED if live else Flag(0))
            | (Flag.TRIP_LATCHED if tripped else Flag(0))
            | (Flag.ESTOP if self.estop else Flag(0)),
            trip_code=int(self._trip),
            drive_ma={Mode.OFF: 0, Mode.COOL: 2000, Mode.WARM: -2000}[self._mode],
            lease_remaining_ms=Milliseconds(round(self._left_s() * 1e3)),
            order_sequence=self._last,
            token=self._token,
            order_epoch=self._epoch,
            last_refusal=int(self._refusal),
            refusals=self._refusals,
            boot_id=self.identity.boot_id,
        )
        return read(status, self._clock() if self._clock is not None else Seconds(self._now_s()))
