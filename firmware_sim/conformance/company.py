"""Whether the kit may be at this wand at all: nobody's lease, nobody else's orders, no trip. It only reads.

The order epoch gives another master away. A wand that counts its epoch wrongly does too, so suspicion is followed by a
look at a wand that nobody of ours orders.
"""

from typing import Final

from cryodevice.errors import SafetyRefusedError
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

    def check(self) -> None:
        """Where the epoch advanced by more than our orders explain, see whether somebody else is there.

        Raises:
            SafetyRefusedError: Somebody is.
        """
        if self._wand.crowded != self._crowded_seen and self._watches < WATCHES:
            self._crowded_seen = self._wand.crowded
            self._watches += 1
            self._refuse_others()

    def _refuse_others(self) -> None:
        before = self._wand.status().order_epoch
        self._wand.wait(WATCH_S)
        after = self._wand.status()
        if after.order_epoch != before or (after.has(Flag.LEASE_LIVE) and after.token != self._wand.token):
            raise SafetyRefusedError(
                f"another master orders this wand: its epoch went from {before} to {after.order_epoch} with no order "
                "of ours; end it first"
            )
