"""What wands on any line share: connecting with patience, stopping with proof, counting. Knows no frames.

A subclass moves one request and one reply and says what silence may mean on its kind of line.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

from cryodevice.device.wand import Counters
from cryodevice.errors import CryodeviceError, LinkClosedError, LinkTimeoutError
from cryodevice.quantities import Celsius, Milliseconds, Seconds
from cryodevice.safety.readings import Reading
from cryodevice.transport.link import Link
from cryodevice.wire.blocks import Identity, Order, Status
from cryodevice.wire.codes import Flag, Mode, State

STOP_TIMEOUT_S = Seconds(0.1)
"""Wait for the answer to one stop of ``make_safe``: 2.5 times the longest exchange of 40 ms (engineering default)."""
_SETTLE_S = 0.04
"""Two firmware ticks: the measured current after a stop is of a tick before it (LEASE-23)."""
_DRIVE_ZERO_MA = 50
"""Measured current that counts as none, mA: noise of the measurement, under 1 % of a plate's drive (engineering
default)."""
_FIRST_WAIT_S = 0.25
"""Shortest wait for one identify while connecting (engineering default)."""


class LinkWand(ABC):
    """The part of a ``Wand`` that does not depend on how bytes are framed.

    Args:
        link: The line; this object opens and closes it.
        clock: Monotonic seconds, stamped on each reading when its reply has been received.
    """

    def __init__(self, link: Link, clock: Callable[[], Seconds]) -> None:
        self._link = link
        self._clock = clock
        self._counters = Counters()
        self._heard_bytes = 0
        self._turn = asyncio.Lock()

    @property
    def name(self) -> str:
        """The port, as the user wrote it."""
        return self._link.name

    @property
    def counters(self) -> Counters:
        """A copy of the counters as they are now."""
        return replace(self._counters)

    async def connect(self, timeout_s: Seconds) -> Identity:
        """Open the line and see that a wand answers; see ``Wand.connect``."""
        deadline_s = loop_time() + timeout_s
        self.close()
        before, heard_before = self.counters, self._heard_bytes
        try:
            await self._link.open(Seconds(deadline_s))
            while True:
                # Half of what is left each time: a slow line gets its answer, a lost frame another chance.
                left_s = deadline_s - loop_time()
                wait_s = min(left_s, max(_FIRST_WAIT_S, left_s / 2))
                until_s = loop_time() + wait_s
                try:
                    return await self.identify(Seconds(wait_s))
                except LinkTimeoutError as error:
                    # A line that is kept quiet refuses at once; without a pause this would hold up the whole loop.
                    await asyncio.sleep(max(0.0, until_s - loop_time()))
                    if loop_time() >= deadline_s:
                        raise self._nobody(timeout_s, before, heard_before) from error
        except LinkClosedError as error:
            self.close()
            raise LinkClosedError(
                f"{error.message}, when asked who it is: is something else on that port, or is link.kind another?",
                **error.evidence,
            ) from error
        except BaseException:
            self.close()
            raise

    @abstractmethod
    async def identify(self, timeout_s: Seconds) -> Identity:
        """The identity block of a wand we may talk to; see ``Wand.identify``."""

    @abstractmethod
    async def read_status(self, timeout_s: Seconds) -> Reading:
        """One reading, without an order; see ``Wand.read_status``."""

    @abstractmethod
    async def exchange(self, order: Order, timeout_s: Seconds) -> Reading:
        """Order out, reading back; see ``Wand.exchange``."""

    async def make_safe(self, token: int, boot_id: int, sequence: int, attempts: int = 3) -> bool:
        """Send a stop until the wand shows it; see ``Wand.make_safe``."""
        stop = Order(sequence, Mode.OFF, Celsius(0.0), Milliseconds(0), 0, boot_id, token)
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(_SETTLE_S)
            try:
                reading = await self.exchange(stop, self._stop_timeout_s())
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

    def _stop_timeout_s(self) -> Seconds:
        """How long one stop of ``make_safe`` may take, from now."""
        return STOP_TIMEOUT_S

    @abstractmethod
    def _why_nobody(self, heard: int, stray: int) -> str:
        """What may be wrong when no wand answered: ``heard`` bytes came, ``stray`` good frames among them."""

    def _nobody(self, timeout_s: Seconds, before: Counters, heard_before: int) -> LinkTimeoutError:
        now = self.counters
        heard = self._heard_bytes - heard_before + now.dropped_bytes - before.dropped_bytes
        stray = now.stray_frames - before.stray_frames
        return LinkTimeoutError(
            f"{self.name}: no wand answered within {timeout_s:.1f} s; {self._why_nobody(heard, stray)}",
            port=self.name,
            heard_bytes=heard,
            stray_frames=stray,
            bad_frames=now.bad_frames - before.bad_frames,
        )


def loop_time() -> float:
    """Now, on the running loop's clock, which all deadlines are of."""
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
