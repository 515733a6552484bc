"""A wand on Modbus RTU or Modbus TCP, over any ``Link``. Finds the reply that answers; judges no reading.

RTU numbers nothing, so after a request that went wrong the line is kept quiet for longer than the slowest reply, and
what comes meanwhile is dropped; but for one exchange after one that was lost: its reply shows the order, a late one is
known by it. On TCP the connection is closed at once and the next request opens another, on which no old reply can come.
Either way the next call pays with its own deadline and never waits beyond it (docs/decisions 0010, 0019).
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import TypeVar

from cryodevice.device import modbus_codec as codec
from cryodevice.device.link_wand import LinkWand, loop_time
from cryodevice.device.modbus_framing import Framing
from cryodevice.device.wand import Counters
from cryodevice.errors import LinkClosedError, LinkTimeoutError, PortUnavailableError, WireError
from cryodevice.quantities import Seconds
from cryodevice.safety.readings import Reading, read
from cryodevice.transport.link import Link
from cryodevice.wire.blocks import Identity, Order, Status
from cryodevice.wire.modbus import QUIET_S

Value = TypeVar("Value")


class ModbusWand(LinkWand):
    """``Wand`` over Modbus.

    Args:
        link: The line; this object opens and closes it.
        framing: ``RtuFraming`` or ``TcpFraming`` with the wand's unit id.
        clock: Monotonic seconds, stamped on each reading when its reply has been received.
    """

    def __init__(
        self, link: Link, framing: Framing, clock: Callable[[], Seconds] = lambda: Seconds(monotonic())
    ) -> None:
        super().__init__(link, clock)
        self._framing = framing
        self._heard_s = self._quiet_until_s = float("-inf")
        self._status_reads = [codec.READ_STATUS, codec.READ_STATUS_AGAIN]
        self._reopen = self._lost_one = False
        self._came = ""
        self._late_replies = 0

    @property
    def counters(self) -> Counters:
        """A copy of the counters as they are now."""
        return replace(
            self._counters,
            stray_frames=self._framing.stray_frames + self._late_replies,
            bad_frames=self._framing.bad_frames,
        )

    async def identify(self, timeout_s: Seconds) -> Identity:
        """The identity block of a wand we may talk to; see ``Wand.identify``."""
        async with self._turn:
            return await self._ask(codec.IDENTIFY, codec.identity_of, Seconds(loop_time() + timeout_s))

    async def read_status(self, timeout_s: Seconds) -> Reading:
        """One reading, without an order; see ``Wand.read_status``."""
        async with self._turn:
            request = self._status_reads[0]
            deadline_s = Seconds(loop_time() + timeout_s)
            status = await self._ask(request, lambda reply: codec.status_of(request, reply), deadline_s)
            return read(status, self._clock())

    async def exchange(self, order: Order, timeout_s: Seconds) -> Reading:
        """Order out, reading back; see ``Wand.exchange``. A refusal takes a second request, in the same deadline."""
        request = codec.exchange_request(order)
        async with self._turn:
            deadline_s = Seconds(loop_time() + timeout_s)

            def status(reply: bytes) -> Status:
                return codec.status_after(request, reply, order)

            try:
                return read(await self._ask(request, status, deadline_s), self._clock())
            except codec.ExceptionReplyError as error:
                if error.code != codec.REFUSED:
                    raise
            refusal = await self._ask(codec.READ_REFUSAL, lambda reply: codec.refusal_of(reply, order), deadline_s)
            self._counters.refused += 1
            raise refusal

    def close(self) -> None:
        """Release the line at once; see ``Wand.close``."""
        self._reopen = self._lost_one = False
        self._came = ""
        super().close()

    async def _ask(self, request: codec.Request, value_of: Callable[[bytes], Value], deadline_s: Seconds) -> Value:
        """What ``value_of`` makes of the reply to one request. The caller holds the turn."""
        await self._be_ready(request, deadline_s)
        sent_s = Seconds(loop_time())
        try:
            value = await self._answer(request, value_of, deadline_s)
        except LinkTimeoutError as error:
            self._part(request, sent_s)
            came = self._framing.end()
            self._came = came or self._came
            raise self._silence(request, came) from error
        except (LinkClosedError, codec.ExceptionReplyError):
            raise
        except BaseException:  # a wrong reply, or a caller who gave up: the right one may still come
            self._part(request, sent_s)
            raise
        self._counters.round_trip_s = Seconds(loop_time() - sent_s)
        self._lost_one = False
        return value

    async def _answer(self, request: codec.Request, value_of: Callable[[bytes], Value], deadline_s: Seconds) -> Value:
        """Send it; what its reply says. A reply that shows the order lost before is passed over, once."""
        reply = await self._reply(request, deadline_s)
        self._counters.exchanges += 1
        try:
            return value_of(reply)
        except codec.ExceptionReplyError:
            raise
        except WireError:
            if self._framing.numbered or not (self._lost_one and request.shows_order):
                raise
        self._late_replies += 1
        return value_of(await self._heard(deadline_s))

    async def _reply(self, request: codec.Request, deadline_s: Seconds) -> bytes:
        frame = self._framing.begin(request)
        self._counters.dropped_bytes += self._link.discard()
        await self._link.send(frame, deadline_s)
        return await self._heard(deadline_s)

    async def _heard(self, deadline_s: Seconds) -> bytes:
        while True:
            data = await self._link.receive(deadline_s)
            self._heard_bytes += len(data)
            self._heard_s = loop_time()
            reply = self._framing.feed(data)
            # A loop that was held up finds old bytes waiting: what is stamped now must have come in time.
            if not self._heard_s <= deadline_s:
                raise LinkTimeoutError(f"{self.name}: an answer came, or was seen, after its deadline", port=self.name)
            if reply is not None:
                return reply

    def _part(self, request: codec.Request, sent_s: Seconds) -> None:
        """See to it that no reply to what was sent so far is taken for that to another request (MODBUS-13).

        A reply to an exchange shows its order, and no other reply looks like one: after a single one that is lost the
        next request may go out at once. A second in a row says that something is on the line.
        """
        if not self._framing.numbered:
            self._status_reads.reverse()
            if self._lost_one or not request.shows_order:
                self._quiet_until_s = sent_s + QUIET_S
            self._lost_one = True
        elif self._link.is_open:  # else somebody closed it, and it stays closed
            self._link.close()
            self._reopen = True

    async def _be_ready(self, request: codec.Request, deadline_s: Seconds) -> None:
        if self._reopen:
            await self._open_anew(request, deadline_s)
        free_s = max(self._quiet_until_s, self._heard_s + self._framing.gap_s)
        wait_s = free_s - loop_time()
        if wait_s > 0.0 and self._link.is_open:
            if free_s >= deadline_s:
                raise self._silence(request, "the line is kept quiet after an exchange that went wrong")
            await asyncio.sleep(wait_s)

    async def _open_anew(self, request: codec.Request, deadline_s: Seconds) -> None:
        try:
            await self._link.open(deadline_s)
        except PortUnavailableError as error:
            self._reopen = False
            raise LinkClosedError(error.message, **error.evidence) from error
        except LinkTimeoutError as error:
            raise self._silence(request, error.message) from error
        self._reopen = False

    def _silence(self, request: codec.Request, came: str) -> LinkTimeoutError:
        self._counters.timeouts += 1
        return LinkTimeoutError(
            f"{self.name}: no answer to {request.name} in time" + (f": {came}" if came else ""),
            port=self.name,
            request=request.name,
            came=came,
        )

    def _stop_timeout_s(self) -> Seconds:
        return Seconds(super()._stop_timeout_s() + max(0.0, self._quiet_until_s - loop_time()))

    def _why_nobody(self, heard: int, stray: int) -> str:
        if not heard:
            where = "wrong port or unit id" if self._framing.numbered else "wrong port, wrong baud rate or unit id"
            return f"nothing comes back: {where}, or the wand has no power?"
        if self._came:
            return f"{self._came}: is link.unit right, and is this the wand's line?"
        if stray:
            return f"{stray} good frames came and none answers: is another program talking to it?"
        return f"{heard} bytes came and no reply among them: wrong baud rate, or not a wand on Modbus?"
