"""A wand on the framed serial wire, over any ``Link``. Finds the reply that answers; judges no reading.

Three things keep a late or foreign reply from being taken for an answer: what came before the request is dropped, the
frame's sequence and type must match, and the status must show the order sent.
"""

from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from cryodevice.device import serial_codec as codec
from cryodevice.device.link_wand import LinkWand, loop_time
from cryodevice.device.wand import Counters
from cryodevice.errors import LinkTimeoutError, OrderRefusedError
from cryodevice.quantities import Seconds
from cryodevice.safety.readings import Reading, read
from cryodevice.transport.link import Link
from cryodevice.wire.blocks import Identity, Order
from cryodevice.wire.frame import DELIMITER, Frame, FrameReader, FrameType


class SerialWand(LinkWand):
    """``Wand`` over the framed serial wire.

    Args:
        link: The line; this object opens and closes it.
        clock: Monotonic seconds, stamped on each reading when its reply has been received.
    """

    def __init__(self, link: Link, clock: Callable[[], Seconds] = lambda: Seconds(monotonic())) -> None:
        super().__init__(link, clock)
        self._reader = FrameReader()
        self._sequence = 0
        self._resync = True

    @property
    def counters(self) -> Counters:
        """A copy of the counters as they are now."""
        return replace(self._counters, bad_frames=self._reader.bad_frames)

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

    async def _ask(self, request: FrameType, encode: Callable[[int], bytes], timeout_s: Seconds) -> Frame:
        """The frame that answers one request, error replies included."""
        async with self._turn:
            sent_s = loop_time()
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
            self._counters.round_trip_s = Seconds(loop_time() - sent_s)
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
            if not loop_time() <= deadline_s:
                raise LinkTimeoutError(f"{self.name}: an answer came, or was seen, after its deadline", port=self.name)
            if answer is not None:
                return answer

    def _drop_leftovers(self) -> None:
        self._counters.dropped_bytes += self._link.discard()
        # Closes a half-frame; should it be whole but for its delimiter, it still answers nothing asked.
        self._counters.stray_frames += len(self._reader.feed(DELIMITER))

    def _why_nobody(self, heard: int, stray: int) -> str:
        if not heard:
            return "nothing comes back: wrong port, wrong baud rate, or the wand has no power?"
        if stray:
            return (
                f"{stray} good frames came and none answers: does the line echo, or is another program talking to it?"
            )
        return f"{heard} bytes came and no good frame: wrong baud rate, or not a wand?"
