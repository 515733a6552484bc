"""The lease proof outside of a session: claim, arm at zero power, watch the wand let go, make safe. Never cools.

The judging is ``treatment.proof`` and ``treatment.link``, the same that the daemon goes by.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cryodevice.device.wand import Wand
from cryodevice.errors import DeviceError, LinkTimeoutError
from cryodevice.quantities import Seconds
from cryodevice.safety.readings import Reading
from cryodevice.treatment.link import Link, answered, connected, missed
from cryodevice.treatment.proof import FAN_TRIES, PROOF_LEASE_MS, Proof, Stage, armed, since_ms, watched
from cryodevice.wire.blocks import Identity, Order
from cryodevice.wire.codes import Flag, Mode

ATTEMPTS = FAN_TRIES
"""A proof that lost sight of the wand for too long, or has not seen its fan turn, begins again this often."""
LOOK_EVERY_S = 0.02
"""One firmware tick: the end of the lease is then known as well as it can be."""
REPLY_S = Seconds(0.2)
"""Longest wait for one reply. Longer than the daemon's: here nothing cools, and a late answer is an answer."""
WATCH_S = 1.5
"""Longest watch of one lease: three times its length."""
LEASE_ERROR_MS = 30.0
"""Lease remaining may differ by this from what is reckoned here (docs/wire.md)."""


@dataclass(slots=True)
class Outcome:
    """What came of it.

    Args:
        why: Why the wand failed; empty when it let go in time.
        live_ms: How long after the echoed sample the lease was last seen live.
        gone_ms: When it was first seen gone.
        shown_safe: At the end the wand showed lease over, relay open and no current.
    """

    why: str = ""
    live_ms: int = 0
    gone_ms: int = 0
    shown_safe: bool = False


@dataclass(slots=True)
class LeaseProof:
    """One proof on one wand, which must be at rest.

    Args:
        wand: Connected and identified.
        identity: Who it is.
        reading: Its newest status.
        token: Random, non-zero.
        off_current_ma: Current that counts as none, mA.
    """

    wand: Wand
    identity: Identity
    reading: Reading
    token: int
    off_current_ma: float

    async def run(self) -> Outcome:
        """Prove; whatever happens, the wand is made safe afterwards.

        Raises:
            LinkError: The line failed for good.
            DeviceError: The wand refused an order.
        """
        outcome = Outcome(why="the wand was out of sight too long, each time: the line is too slow or loses replies")
        link = connected(self.identity, self.token)
        try:
            proof = Proof()
            for _ in range(ATTEMPTS):
                link, proof = await self._attempt(link, proof, outcome)
                if proof.stage in (Stage.PASSED, Stage.FAILED):
                    outcome.why = proof.why
                    break
        finally:
            outcome.shown_safe = await self.wand.make_safe(self.token, self.identity.boot_id, link.order_sequence + 1)
        return outcome

    async def _attempt(self, link: Link, begun: Proof, outcome: Outcome) -> tuple[Link, Proof]:
        link = await self._order(link, Mode.OFF, 0)
        if not link.claimed:
            raise DeviceError("the wand accepted our stop and did not take our session token")
        echoed_ms = self.reading.status.uptime_ms
        link = await self._order(link, Mode.OFF, PROOF_LEASE_MS)
        if link.unanswered:
            return link, begun
        proof = armed(begun, self.reading, echoed_ms, self.off_current_ma)
        give_up_s = asyncio.get_running_loop().time() + WATCH_S
        while proof.stage is Stage.WATCH and asyncio.get_running_loop().time() < give_up_s:
            outcome.live_ms = proof.live_ms
            if wrong := _wrong(link):
                return link, Proof(stage=Stage.FAILED, why=wrong)
            await asyncio.sleep(LOOK_EVERY_S)
            if not await self._look(self._read):
                continue
            link = answered(link, self.reading, None, echoed_ms, refused=False)
            proof = watched(proof, self.reading, self.off_current_ma)
            if not self.reading.status.flags & (Flag.LEASE_LIVE | Flag.RELAY_CLOSED):
                outcome.gone_ms = since_ms(self.reading.status.uptime_ms, echoed_ms)
        return link, proof

    async def _order(self, link: Link, mode: Mode, lease_ms: int) -> Link:
        """Send one order at zero power; the link afterwards, with ``unanswered`` when no reply came."""
        echoed = self.reading
        link, order = link.order(echoed, mode, lease_ms=lease_ms)
        if not await self._look(lambda: self._exchange(order)):
            if order.is_stop:
                raise LinkTimeoutError(f"{self.wand.name}: no answer to a stop within {REPLY_S:.1f} s")
            return missed(link, order)
        return answered(link, self.reading, order, echoed.status.uptime_ms, refused=False)

    async def _read(self) -> Reading:
        return await self.wand.read_status(REPLY_S)

    async def _exchange(self, order: Order) -> Reading:
        return await self.wand.exchange(order, REPLY_S)

    async def _look(self, ask: Callable[[], Awaitable[Reading]]) -> bool:
        try:
            self.reading = await ask()
        except LinkTimeoutError:
            return False
        return True


def _wrong(link: Link) -> str:
    if link.foreign_orders:
        return "something else orders this wand: it has counted orders that were not ours"
    if not abs(link.lease_error_ms) <= LEASE_ERROR_MS:
        return f"the wand counts its lease wrongly: {link.lease_error_ms:+.0f} ms"
    return ""
