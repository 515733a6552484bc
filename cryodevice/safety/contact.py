"""Whether the plate is on the skin, for how long, and whether it moves: the pessimistic memory of the contact flag.

Contact is believed the moment the flag is set, or infra-red that has seen skin is hidden, and lost only when something
else says so too. It does not know zones.
"""

import math
from dataclasses import dataclass

from cryodevice.frozen import maker
from cryodevice.quantities import Channel, Seconds
from cryodevice.safety.readings import Reading
from cryodevice.safety.replacing import replace
from cryodevice.wire.codes import Capability, Flag

LOST_AFTER_S = Seconds(1.0)
"""Contact must be absent this long before it may be believed lost (engineering default)."""
WARMER_BY_K = 3.0
"""Infra-red this much above the estimate says the plate no longer hides the skin, K (engineering default)."""
LIFT_RESETS_DWELL_S = Seconds(10.0)
"""A lift shorter than this does not reset the static dwell (engineering default)."""
GLIDE_WITHIN_S = Seconds(2.0)
"""Motion seen this recently makes a contact a glide (engineering default)."""

_NEVER = Seconds(-math.inf)


@dataclass(frozen=True, slots=True)
class Contact:
    """What is believed of the contact.

    Args:
        believed: The plate is on the skin, as far as dose and estimate go.
        absent_since_s: Since when the flag has been clear; None while it is set.
        dwell_s: Static contact on one spot, seconds.
        moved_at_s: When motion was last seen; -inf if never.
        ir_seen: Infra-red has given a value at least once; one that never did hides nothing.
    """

    believed: bool = False
    absent_since_s: Seconds | None = _NEVER
    dwell_s: float = 0.0
    moved_at_s: Seconds = _NEVER
    ir_seen: bool = False

    def gliding(self, now_s: Seconds) -> bool:
        """Whether the contact counts as a glide."""
        return now_s - self.moved_at_s <= GLIDE_WITHIN_S


_contact = maker(Contact)


def flag(reading: Reading, capabilities: Capability, needed: Capability, bit: Flag) -> float:
    """1.0 or 0.0 as the wand says, NaN when it lacks the sensor: unknown is never safe."""
    if needed not in capabilities:
        return math.nan
    return 1.0 if bit in reading.status.flags else 0.0


def hidden(contact: Contact, reading: Reading, capabilities: Capability) -> bool:
    """Whether infra-red that has seen before sees nothing now: a plate on the skin hides it."""
    return contact.ir_seen and Capability.SKIN_IR in capabilities and math.isnan(reading.value(Channel.SKIN_IR))


def confirmable(contact: Contact, capabilities: Capability) -> bool:
    """Whether a second sensor can tell that the plate is off the skin: infra-red that has seen something."""
    return Capability.SKIN_IR in capabilities and contact.ir_seen


def follow(
    contact: Contact,
    reading: Reading | None,
    capabilities: Capability,
    skin_estimate_degc: float,
    dt_s: Seconds,
    *,
    at_work: bool = False,
) -> Contact:
    """The contact after ``dt_s`` more seconds and, if one came, one more reading.

    Without a reading nothing is known to have changed: a believed contact goes on and its dwell grows.
    A wand without a contact sensor is believed to touch, and so is one whose infra-red is hidden while the contact flag
    is clear and the trigger is held or the treatment is ``at_work`` (a cold step under way, paused or not): a contact
    sensor that fails must not hide a dose.
    """
    dwell = contact.dwell_s + (dt_s if contact.believed else 0.0)
    if reading is None:
        return replace(contact, dwell_s=dwell)
    now = reading.at_s
    ir_seen = contact.ir_seen or not math.isnan(reading.value(Channel.SKIN_IR))
    held = flag(reading, capabilities, Capability.TRIGGER, Flag.TRIGGER) == 1.0
    touching = flag(reading, capabilities, Capability.CONTACT, Flag.CONTACT) != 0.0 or (
        (held or at_work) and hidden(contact, reading, capabilities)
    )
    moving = flag(reading, capabilities, Capability.MOTION, Flag.MOTION) == 1.0
    moved_at = now if moving else contact.moved_at_s
    if touching:
        return _contact(True, None, 0.0 if moving else dwell, moved_at, ir_seen)
    absent_since = now if contact.absent_since_s is None else contact.absent_since_s
    absent = now - absent_since
    believed = contact.believed and not (
        absent >= LOST_AFTER_S and _confirmed(reading, capabilities, skin_estimate_degc)
    )
    lifted = not believed and absent >= LIFT_RESETS_DWELL_S
    return _contact(believed, absent_since, 0.0 if lifted else dwell, moved_at, ir_seen)


def _confirmed(reading: Reading, capabilities: Capability, skin_estimate_degc: float) -> bool:
    """Whether a second sign agrees that contact is lost: trigger released, or infra-red well above the estimate."""
    released = flag(reading, capabilities, Capability.TRIGGER, Flag.TRIGGER) == 0.0
    return released or reading.value(Channel.SKIN_IR) > skin_estimate_degc + WARMER_BY_K
