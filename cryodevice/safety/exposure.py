"""How much cold each zone has had: counted every tick, never reset by a restart, kept by client and zone.

Pure arithmetic on totals; the durable copy is behind ``runtime.ports.ExposureStore``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cryodevice.errors import QuantityError
from cryodevice.frozen import maker
from cryodevice.quantities import Celsius, Seconds
from cryodevice.safety.limits import Zone
from cryodevice.safety.replacing import replace

ANONYMOUS = "anonymous"
"""The one client that treatments without a client share, so that their limits add up."""
LONGEST_NAME = 64
DAY_S = Seconds(86_400.0)
CRASH_ALLOWANCE_S = Seconds(3.0)
"""Contact added after a crash: newest durable record is at most 2 s old, plus lease and cut (engineering default)."""


@dataclass(frozen=True, slots=True)
class ZoneExposure:
    """Totals of one zone. Seconds, degC*s and degC; every total only grows and the lowest only fall."""

    contact_s: float = 0.0
    below_15_s: float = 0.0
    below_10_s: float = 0.0
    below_4_s: float = 0.0
    d10_degc_s: float = 0.0
    lowest_skin_degc: float = math.inf
    lowest_fat_degc: float = math.inf

    def plus(self, dt_s: Seconds, skin: Celsius, fat: Celsius, *, contact: bool) -> "ZoneExposure":
        """Totals after ``dt_s`` more seconds at this skin surface and fat boundary temperature.

        A skin temperature that is not a number counts as colder than every threshold, at 0 degC.
        """
        surface = skin if math.isfinite(skin) else 0.0
        return _exposure(
            self.contact_s + (dt_s if contact else 0.0),
            self.below_15_s + (dt_s if surface < 15.0 else 0.0),
            self.below_10_s + (dt_s if surface < 10.0 else 0.0),
            self.below_4_s + (dt_s if surface < 4.0 else 0.0),
            self.d10_degc_s + max(0.0, 10.0 - surface) * dt_s,
            min(self.lowest_skin_degc, surface),
            min(self.lowest_fat_degc, fat if math.isfinite(fat) else surface),
        )

    def joined(self, other: "ZoneExposure") -> "ZoneExposure":
        """Totals of both."""
        return ZoneExposure(
            self.contact_s + other.contact_s,
            self.below_15_s + other.below_15_s,
            self.below_10_s + other.below_10_s,
            self.below_4_s + other.below_4_s,
            self.d10_degc_s + other.d10_degc_s,
            min(self.lowest_skin_degc, other.lowest_skin_degc),
            min(self.lowest_fat_degc, other.lowest_fat_degc),
        )


_exposure = maker(ZoneExposure)
NOTHING = ZoneExposure()


@dataclass(frozen=True, slots=True)
class Past:
    """Exposure that is over, by zone.

    Args:
        ended_at_s: Monotonic second at which it was last added to; may be negative.
        zones: Totals by zone.
        held: It was a session's; else the plate was touched outside of one, which counts as dose but not as a session.
    """

    ended_at_s: float
    zones: Mapping[Zone, ZoneExposure]
    held: bool = True

    @property
    def contact_s(self) -> float:
        """Contact of all zones, s."""
        return sum(zone.contact_s for zone in self.zones.values())


@dataclass(frozen=True, slots=True)
class Dose:
    """What one client has had: in this session, and in the ended sessions that still count towards the rolling day.

    ``added_at_s`` is the monotonic second at which this session's totals last grew; inf when that is not known.
    """

    client: str = ANONYMOUS
    session: Mapping[Zone, ZoneExposure] = field(default_factory=lambda: MappingProxyType({}))
    past: tuple[Past, ...] = ()
    added_at_s: float = math.inf

    def of(self, zone: Zone) -> ZoneExposure:
        """This session's totals of a zone."""
        return self.session.get(zone, NOTHING)

    def day(self, zone: Zone) -> ZoneExposure:
        """Totals of a zone over the rolling day, this session included."""
        total = self.of(zone)
        for past in self.past:
            total = total.joined(past.zones.get(zone, NOTHING))
        return total

    @property
    def earlier_sessions(self) -> int:
        """Ended sessions of the rolling day that touched the skin."""
        return sum(past.held and past.contact_s > 0.0 for past in self.past)

    def since_treated_s(self, zone: Zone, now_s: float) -> float:
        """How long ago an earlier session last touched this zone, s; a day if none that is on the books did."""
        ended = (past.ended_at_s for past in self.past if past.held and past.zones.get(zone, NOTHING).contact_s > 0.0)
        return min(now_s - max(ended, default=-math.inf), DAY_S)

    @property
    def session_contact_s(self) -> float:
        """Contact of all zones in this session, s."""
        return sum(zone.contact_s for zone in self.session.values())

    @property
    def day_contact_s(self) -> float:
        """Contact of all zones over the rolling day, s."""
        return self.session_contact_s + sum(past.contact_s for past in self.past)

    def with_zone(self, zone: Zone, exposure: ZoneExposure, at_s: float = math.inf) -> "Dose":
        """The same dose with one zone's session totals replaced; ``at_s`` is when, inf for whenever it is closed."""
        return replace(self, session=MappingProxyType({**self.session, zone: exposure}), added_at_s=at_s)

    def closed(self, now_s: Seconds, *, held: bool) -> "Dose":
        """The dose once it is over: its totals count as past ones from now on, as a session's if one was ``held``."""
        if not self.session:
            return self
        ended_s = min(now_s, self.added_at_s)
        return Dose(self.client, MappingProxyType({}), (*self.past, Past(ended_s, self.session, held)))

    def aged(self, now_s: Seconds) -> "Dose":
        """The dose at ``now_s``: sessions that ended more than a day ago no longer count."""
        if all(now_s - past.ended_at_s <= DAY_S for past in self.past):
            return self
        return replace(self, past=tuple(past for past in self.past if now_s - past.ended_at_s <= DAY_S))


def client_named(name: object) -> str:
    """The client of this name, who is one client however the name is spelt: case and spaces begin no new dose.

    Raises:
        QuantityError: It is no name of 1 to 64 characters that can be printed.
    """
    found = " ".join(name.casefold().split()) if isinstance(name, str) else ""
    if not 1 <= len(found) <= LONGEST_NAME or not found.isprintable():
        raise QuantityError(f"client is {name!r}: it must be a name or number of 1 to {LONGEST_NAME} characters")
    return found


Others = Mapping[str, tuple[Past, ...]]
"""What every client but the one in hand has had in earlier sessions, by client."""


def turned_to(client: str, dose: Dose, others: Others, now_s: Seconds) -> tuple[Dose, Others]:
    """The dose of another client, and what the rest have had; ``dose`` must be closed."""
    if dose.client == client:
        return dose, others
    books = {**others, dose.client: dose.past}
    taken = Dose(client, past=books.pop(client, ())).aged(now_s)
    aged = {name: Dose(past=past).aged(now_s).past for name, past in books.items()}
    return taken, MappingProxyType({name: past for name, past in aged.items() if past})


def after_crash(exposure: ZoneExposure, coldest_plate: Celsius) -> ZoneExposure:
    """Totals of a zone whose session ended in a crash: three more seconds of contact at the coldest plate ordered."""
    return exposure.plus(CRASH_ALLOWANCE_S, coldest_plate, coldest_plate, contact=True)
