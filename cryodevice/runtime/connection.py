"""One wand's connection for ever: opens it, exchanges on it, notices its end, opens it again. Decides nothing.

Everything that happened comes back as line news; no error of the line leaves this module.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from cryodevice.device.wand import Wand
from cryodevice.errors import (
    CryodeviceError,
    IdentityError,
    LinkClosedError,
    LinkError,
    OrderRefusedError,
)
from cryodevice.quantities import U16, Seconds
from cryodevice.runtime.clock import Clock
from cryodevice.treatment.core import Answered, Connected, Disconnected, LineNews, Missed
from cryodevice.wire.blocks import Identity, Order

CONNECT_TIMEOUT_S = Seconds(2.0)
SILENT_AFTER_S = 1.0
"""Without a good reply for this long the port is opened anew; the session has then long ended."""
SAFE_WITHIN_S = 2.0
"""Longest time making the wand safe may take, whatever stands in its way; the lease ends long before (engineering
default)."""
BACKOFF_FIRST_S, BACKOFF_MOST_S = 0.25, 5.0
"""Pause between attempts, doubled each time up to the most, with up to a quarter of jitter."""


def random_token() -> int:
    """A non-zero session token."""
    return random.SystemRandom().randrange(1, U16)


@dataclass(slots=True)
class Connection:
    """The line to one wand.

    Args:
        wand: The driver.
        clock: Monotonic time.
        exchange_timeout_s: Longest time one exchange may take.
        token: Chooses a session token for each new connection.
    """

    wand: Wand
    clock: Clock
    exchange_timeout_s: Seconds
    token: Callable[[], int] = random_token
    identity: Identity | None = None
    current_token: int = 0
    attempts: int = 0
    _opening: "asyncio.Task[Identity] | None" = None
    _retry_at_s: float = 0.0
    _replied_at_s: float = 0.0
    _jitter: random.Random = field(default_factory=random.Random)

    @property
    def replied_at_s(self) -> float:
        """Monotonic second of the last good reply, or of the connection if none has come since."""
        return self._replied_at_s

    async def round_trip(self, order: Order | None) -> tuple[LineNews, ...]:
        """Exchange the order (or read the status) if connected, else go on connecting; never raises for the line."""
        if self.identity is None:
            return self._connect()
        timeout = self.exchange_timeout_s
        try:
            if order is None:
                reading = await self.wand.read_status(timeout)
            else:
                reading = await self.wand.exchange(order, timeout)
        except OrderRefusedError as error:
            return await self._after_refusal(order, error)
        except LinkClosedError as error:
            return (self.drop(error.message),)
        except CryodeviceError as error:
            return self._unanswered(order, error.message)
        self._replied_at_s = self.clock.monotonic()
        return (Answered(reading, order),)

    async def _after_refusal(self, order: Order | None, error: OrderRefusedError) -> tuple[LineNews, ...]:
        refusal = int(str(error.evidence.get("refusal", 0)))
        try:
            reading = await self.wand.read_status(self.exchange_timeout_s)
        except LinkClosedError as closed:
            return (self.drop(closed.message),)
        except CryodeviceError as silent:
            return self._unanswered(None, silent.message)
        self._replied_at_s = self.clock.monotonic()
        return (Answered(reading, order, refusal),)

    def _unanswered(self, order: Order | None, why: str) -> tuple[LineNews, ...]:
        missed = Missed(order, why)
        if self.clock.monotonic() - self._replied_at_s > SILENT_AFTER_S:
            return (missed, self.drop(why))
        return (missed,)

    def drop(self, why: str) -> Disconnected:
        """Close the line and begin connecting anew."""
        self.wand.close()
        self.identity = None
        self.attempts = 0
        self._retry_at_s = self.clock.monotonic() + BACKOFF_FIRST_S
        return Disconnected(why)

    def _connect(self) -> tuple[LineNews, ...]:
        now = self.clock.monotonic()
        if self._opening is None:
            if now >= self._retry_at_s:
                self._opening = asyncio.create_task(self.wand.connect(CONNECT_TIMEOUT_S), name="connect")
            return ()
        if not self._opening.done():
            return ()
        task, self._opening = self._opening, None
        try:
            identity = task.result()
        except CryodeviceError as error:
            wait = min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2.0 ** min(self.attempts, 10))
            self.attempts += 1
            self._retry_at_s = now + wait * (1.0 + 0.25 * self._jitter.random())
            if not isinstance(error, LinkError | IdentityError):
                return (Disconnected(f"{type(error).__name__}: {error.message}"),)
            return (Disconnected(error.message, rejected=isinstance(error, IdentityError)),)
        self.identity, self.attempts, self._replied_at_s = identity, 0, now
        self.current_token = self.token()
        return (Connected(identity, self.current_token),)

    async def close(self, order_sequence: int, *, ours: bool) -> bool:
        """Make the wand safe if it is there and ``ours``, then release the line.

        A wand we never claimed may be treating for another program, and our stop would end that.

        Returns:
            Whether the wand showed that it is safe.
        """
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
            self._opening = None
        safe = False
        if self.identity is not None and ours:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAFE_WITHIN_S):
                    safe = await self.wand.make_safe(self.current_token, self.identity.boot_id, order_sequence)
        self.wand.close()
        self.identity = None
        return safe
