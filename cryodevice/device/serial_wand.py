"""A wand on the framed serial wire, over any ``Link``. Finds the reply that answers; judges no reading.

Three things keep a late or foreign reply from being taken for an answer: what came before the request is dropped, the
frame's sequence and type must match, and the status must show the order sent.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from cryodevice.device import serial_codec as codec
from cryodevice.device.wand import Counters
from cryodevice.errors import CryodeviceError, LinkClosedError, LinkTimeoutError, OrderRefusedError
from cryodevice.quantities import Celsius, Milliseconds, Seconds
from cryodevice.safety.readings import Reading, read
from cryodevice.transport.link import Link
from cryodevice.wire.blocks import Identity, Order, Status
from cryodevice.wire.codes import Flag, Mode, State
from cryodevice.wire.frame import DELIMITER, Frame, FrameReader, FrameType

_STOP_TIMEOUT_S = Seconds(0.1)
"""Wait for the answer to one stop of ``make_safe``: 2.5 times the longest exchange of 40 ms (engineering default)."""
_SETTLE_S = 0.04
"""Two firmware ticks: the measured current after a stop is of a tick before it (LEASE-23)."""
_DRIVE_ZERO_MA = 50
"""Measured current that counts as none, mA: noise of the measurement, under 1 % of a plate's drive (engineering
default)."""
_FIRST_WAIT_S = 0.25
"""Shortest wait for one identify while connecting (engineering default)."""


class SerialWand:
    """``Wand`` over the framed serial wire.

    Args:
        link: The line; this object opens and closes it.
        clock: Monotonic seconds, stamped on each reading when its reply has been received.
    """

    def __init__(self, link: Link, clock: Callable[[], Seconds] = lambda: Seconds(monotonic())) -> None:
        self._link = link
        self._clock = clock
        self._counters = Counters()
        self._reader = FrameReader()
        self._sequence = 0
        self._heard_bytes = 0
        self._resync = True
        self._turn = asyncio.Lock()

    @property
    def name(self) -> str:
        """The port, as the user wrote it."""
        return self._link.name

    @property
    def counters(self) -> Counters:
        """A copy of the counters as they are now."""
        return replace(self._counters, bad_frames=self._reader.bad_frames)

    async def connect(self, timeout_s: Seconds) -> Identity:
        """Open the line and see that a wand answers; see ``Wand.connect``."""
        deadline_s = self._loop_time() + timeout_s
        self._link.close()
        before, heard_before = self.counters, self._heard_bytes
        try:
            await self._link.open(Seconds(deadline_s))
            while True:
                # Half of what is left each time: a slow line gets its answer, a lost frame another chance.
                left_s = deadline_s - self._loop_time()
                try:
                    return await self.identify(Seconds(min(left_s, max(_FIRST_WAIT_S, left_s / 2))))
                except LinkTimeoutError as error:
                    if self._loop_time() >= deadline_s:
                        raise self._nobody(timeout_s, before, heard_before) from error
        except BaseException:
            self._link.close()
            raise

    async def identify(self, timeout_s: Seconds) -> Identity:
        """The identity block of a wand we may talk to; see ``Wand.identify``."""
        return codec.identity_of(await self._ask(FrameType.IDENTIFY, codec.identify_request, timeout_s))

    async def read_status(self, timeout_s: Seconds) -> Reading:
        """One reading, without an order; see ``Wand.read_status``."""
        frame = await self._ask(FrameType.READ_STATUS, codec.status_request, timeout_s)
        at_s = self._clock()
        return read(codec.status_of(frame), at_s)

    async def exchange(self, order: Order, timeout_s: Seconds) -> Reading:
        """Order out, reading back; see ``Wand.exchange``."""
        frame = await self._ask(FrameType.EXCHANGE, lambda number: codec.exchange_request(number, order), timeout_s)
        at_s = self._clock()
        try:
            return read(codec.status_after(frame, order), at_s)
        except OrderRefusedError:
            self._counters.refused += 1
            raise

    async def make_safe(self, token: int, boot_id: int, sequence: int, attempts: int = 3) -> bool:
        """Send a stop until the wand shows it; see ``Wand.make_safe``."""
        stop = Order(sequence, Mode.OFF, Celsius(0.0), Milliseconds(0), 0, boot_id, token)
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(_SETTLE_S)
            try:
                reading = await self.exchange(stop, _STOP_TIMEOUT_S)
            except LinkClosedError:
                return False
            except CryodeviceError:
                continue
            if _is_safe(reading.status):
                return True
        return False

    def close(self) -> None:
        """Release the line at once; see ``Wand.close``."""
        self._link.close()

    async def _ask(self, request: FrameType, encode: Callable[[int], bytes], timeout_s: Seconds) -> Frame:
        """The frame that answers one request, error replies included."""
        async with self._turn:
            sent_s = self._loop_time()
            deadline_s = Seconds(sent_s + timeout_s)
            self._sequence = (self._sequence + 1) & 0xFF
            data = encode(self._sequence)
            self._drop_leftovers()
            # Out of step until an answer has come: true again by itself after a time-out, a hang-up or a cancellation.
            resync, self._resync = self._resync, True
            try:
                await self._link.send(DELIMITER + data if resync else data, deadline_s)
                frame = await self._answer(request, deadline_s)
            except LinkTimeoutError as error:
                self._counters.timeouts += 1
                raise LinkTimeoutError(
                    f"{self.name}: no answer to {request.name.lower()} within {timeout_s:.3f} s",
                    port=self.name,
                    request=request.name,
                    timeout_s=timeout_s,
                ) from error
            self._resync = False
            self._counters.exchanges += 1
            self._counters.round_trip_s = Seconds(self._loop_time() - sent_s)
            return frame

    async def _answer(self, request: FrameType, deadline_s: Seconds) -> Frame:
        while True:
            data = await self._link.receive(deadline_s)
            self._heard_bytes += len(data)
            answer: Frame | None = None
            for frame in self._reader.feed(data):
                if answer is None and codec.answers(frame, request, self._sequence):
                    answer = frame
                else:
                    self._counters.stray_frames += 1
            # A loop that was held up finds old bytes waiting: what is stamped now must have come in time.
            if not self._loop_time() <= deadline_s:
                raise LinkTimeoutError(f"{self.name}: an answer came, or was seen, after its deadline", port=self.name)
            if answer is not None:
                return answer

    def _drop_leftovers(self) -> None:
        self._counters.dropped_bytes += self._link.discard()
        # Closes a half-frame; should it be whole but for its delimiter, it still answers nothing asked.
        self._counters.stray_frames += len(self._reader.feed(DELIMITER))

    def _nobody(self, timeout_s: Seconds, before: Counters, heard_before: int) -> LinkTimeoutError:
        now = self.counters
        heard = self._heard_bytes - heard_before + now.dropped_bytes - before.dropped_bytes
        stray = now.stray_frames - before.stray_frames
        if not heard:
            why = "nothing comes back: wrong port, wrong baud rate, or the wand has no power?"
        elif stray:
            why = f"{stray} good frames came and none answers: does the line echo, or is another program talking to it?"
        else:
            why = f"{heard} bytes came and no good frame: wrong baud rate, or not a wand?"
        return LinkTimeoutError(
            f"{self.name}: no wand answered within {timeout_s:.1f} s; {why}",
            port=self.name,
            heard_bytes=heard,
            stray_frames=stray,
            bad_frames=now.bad_frames - before.bad_frames,
        )

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()


def _is_safe(status: Status) -> bool:
    """Whether a status shows the wand at rest; a current that cannot be measured is not shown to be none."""
    return (
        status.state in (State.OFF, State.TRIPPED)
        and status.lease_remaining_ms == 0
        and not status.flags & (Flag.LEASE_LIVE | Flag.RELAY_CLOSED)
        and status.drive_ma is not None
        and -_DRIVE_ZERO_MA <= status.drive_ma <= _DRIVE_ZERO_MA
    )
