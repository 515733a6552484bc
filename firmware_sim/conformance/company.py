"""Whether the kit may be at this wand at all: nobody's lease, nobody else's orders, no trip. It only reads.

The order epoch gives another master away, and a token that is none of ours. A wand that counts its epoch wrongly does
too, so one of the two alone is followed by a look at a wand that nobody of ours orders.
"""

from contextlib import suppress
from typing import Final

from cryodevice.errors import LinkError, SafetyRefusedError, WireError
from cryodevice.wire.codes import Flag, Trip
from firmware_sim.conformance.blocks import Status
from firmware_sim.conformance.wand import Wand, trip_name

WATCH_S: Final = 0.6
"""How long the epoch is watched without an order of ours: a master orders ten times a second and more."""
WATCHES: Final = 5
"""So often; a wand that counts too much and has nobody else there does so in every clause."""


class Company:
    """Watches for others at one wand.

    Args:
        wand: Which.
    """

    def __init__(self, wand: Wand) -> None:
        self._wand = wand
        self._crowded_seen = 0
        self._watches = 0

    def refuse_unless_free(self) -> Status:
        """The status of a wand that nobody else is at.

        Raises:
            SafetyRefusedError: Somebody is, or it is tripped by something else than its e-stop.
        """
        status = self._wand.status()
        if status.has(Flag.LEASE_LIVE) or (status.lease_remaining_ms and status.token):
            raise SafetyRefusedError(
                f"somebody's lease is live on this wand ({status.lease_remaining_ms} ms, token 0x{status.token:04X}); "
                "end that session first"
            )
        self._refuse_others()
        held = status.has(Flag.ESTOP)
        if status.has(Flag.TRIP_LATCHED) and not (held and status.trip_code == Trip.ESTOP):
            raise SafetyRefusedError(
                f"trip {status.trip_code} ({trip_name(status.trip_code)}) is latched on this wand; take its cause away "
                "and reset it first, or switch the wand off and on"
            )
        if self._wand.allow_drive and status.has(Flag.CONTACT):
            raise SafetyRefusedError("the plate touches skin; --allow-drive is for a wand in the air: lift it first")
        return status

    def check(self) -> bool:
        """Where the epoch advanced by more than our orders explain, or a token is in force that is none of ours, look.

        Returns whether it was so since the last check, and nobody was seen: what was judged meanwhile may have been
        spoilt by somebody who orders now and then.

        Raises:
            SafetyRefusedError: Somebody is.
        """
        wand = self._wand
        stranger, wand.stranger = wand.stranger, 0
        crowded, self._crowded_seen = wand.crowded != self._crowded_seen, wand.crowded
        if crowded and stranger:
            raise SafetyRefusedError(
                f"another master orders this wand: token 0x{stranger:04X} is in force, which is none of this run, and "
                "the epoch advanced by more than this run's orders; end it first"
            )
        if not (crowded or stranger) or self._watches == WATCHES:
            return False
        self._watches += 1
        self._refuse_others()
        return True

    def spoilt(self, *, tripped: bool) -> bool:
        """Whether the clause that has just failed may have failed because of somebody who is not there now.

        Args:
            tripped: Whether the wand was tripped from the start.

        Raises:
            SafetyRefusedError: Somebody is there.
        """
        with suppress(LinkError, WireError):
            self._wand.status()
            return self.check() and not self._wand.after_failure(tripped=tripped)
        return False

    def _refuse_others(self) -> None:
        before = self._wand.status().order_epoch
        self._wand.wait(WATCH_S)
        after = self._wand.status()
        if after.order_epoch != before or (after.has(Flag.LEASE_LIVE) and after.token != self._wand.token):
            raise SafetyRefusedError(
                f"another master orders this wand: its epoch went from {before} to {after.order_epoch} with no order "
                "of ours; end it first"
            )
