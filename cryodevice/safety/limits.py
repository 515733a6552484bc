"""The limits in force: a compiled envelope that settings and the wand may tighten and nothing can widen.

Every number that protects skin has its source beside it. Ranges are closed, so NaN is outside all of them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from types import MappingProxyType

from cryodevice.errors import QuantityError
from cryodevice.wire.blocks import Identity


class Zone(StrEnum):
    """Treatment zones; lips, eyelid, ear, mucosa and globe are no zones: forbidden."""

    FOREHEAD = "forehead"
    LEFT_CHEEK = "left_cheek"
    RIGHT_CHEEK = "right_cheek"
    NOSE = "nose"
    CHIN_JAW = "chin_jaw"
    PERIORBITAL = "periorbital"
    NECK = "neck"
    FOREARM = "forearm"
    OTHER = "other"


class Tighter(StrEnum):
    """Which way a limit is made stricter."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Bound:
    """One row of the envelope: the widest value, the strictest sensible one, which way is stricter, unit, source."""

    widest: float
    strictest: float
    tighter: Tighter
    unit: str
    source: str
    default: float | None = None

    @property
    def initial(self) -> float:
        """Value in force when settings say nothing."""
        return self.widest if self.default is None else self.default

    @property
    def low(self) -> float:
        """Smallest value a setting may take."""
        return min(self.widest, self.strictest)

    @property
    def high(self) -> float:
        """Largest value a setting may take."""
        return max(self.widest, self.strictest)


_DESIGN = "hard envelope of docs/architecture.md"
_EXPOSURE = "engineering default, after D5 of the clinical note"

ENVELOPE: Mapping[str, Bound] = MappingProxyType(
    {
        "plate_floor_degc": Bound(
            2.0,
            20.0,
            Tighter.HIGHER,
            "degC",
            "metal below 4 degC judged unsafe for bare hands (Chen 1994); " + _DESIGN,
            5.0,
        ),
        "plate_warn_degc": Bound(38.0, 30.0, Tighter.LOWER, "degC", _DESIGN),
        "plate_ceiling_degc": Bound(
            40.0, 30.0, Tighter.LOWER, "degC", "below the 43 degC long-contact applied-part limit; " + _DESIGN
        ),
        "skin_stop_degc": Bound(2.0, 15.0, Tighter.HIGHER, "degC", "cleared vapour wand K203661 stops below 2 degC"),
        "skin_warn_degc": Bound(
            4.0, 18.0, Tighter.HIGHER, "degC", "cleared vapour wand K203661: target band above 4 degC"
        ),
        "sink_warn_degc": Bound(45.0, 30.0, Tighter.LOWER, "degC", "engineering default: warn before the trip"),
        "sink_trip_degc": Bound(
            50.0, 32.0, Tighter.LOWER, "degC", "engineering default: a sink at 50 degC heats an idle plate to 41.4 degC"
        ),
        "channels_apart_k": Bound(2.0, 0.5, Tighter.LOWER, "K", "engineering default: tighter than the wand's own 3 K"),
        "off_current_ma": Bound(200.0, 50.0, Tighter.LOWER, "mA", "engineering default: 5 % of full drive"),
        "static_hold_s": Bound(30.0, 5.0, Tighter.LOWER, "s", "facial product practice, D4 of the clinical note"),
        "step_contact_s": Bound(90.0, 5.0, Tighter.LOWER, "s", _EXPOSURE),
        "zone_contact_s": Bound(600.0, 10.0, Tighter.LOWER, "s", _EXPOSURE),
        "zone_below_15_s": Bound(600.0, 10.0, Tighter.LOWER, "s", _EXPOSURE),
        "zone_below_10_s": Bound(180.0, 5.0, Tighter.LOWER, "s", _EXPOSURE),
        "zone_below_4_s": Bound(5.0, 0.0, Tighter.LOWER, "s", _EXPOSURE),
        "zone_d10_degc_s": Bound(
            600.0, 10.0, Tighter.LOWER, "degC*s", "engineering exposure index, not clinically validated"
        ),
        "fat_boundary_degc": Bound(
            10.0, 20.0, Tighter.HIGHER, "degC", "adipose lipid crystallises near 10 degC, D6 of the clinical note"
        ),
        "session_contact_s": Bound(720.0, 10.0, Tighter.LOWER, "s", _EXPOSURE),
        "day_contact_s": Bound(1200.0, 10.0, Tighter.LOWER, "s", _EXPOSURE),
        "day_sessions": Bound(2.0, 0.0, Tighter.LOWER, "sessions", _EXPOSURE),
    }
)
"""Compiled. Settings may move a limit from ``widest`` towards ``strictest``, never past either."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits in force, each inside the envelope. Build with ``limits()``; the field names are the settings keys."""

    plate_floor_degc: float
    plate_warn_degc: float
    plate_ceiling_degc: float
    skin_stop_degc: float
    skin_warn_degc: float
    sink_warn_degc: float
    sink_trip_degc: float
    channels_apart_k: float
    off_current_ma: float
    static_hold_s: float
    step_contact_s: float
    zone_contact_s: float
    zone_below_15_s: float
    zone_below_10_s: float
    zone_below_4_s: float
    zone_d10_degc_s: float
    fat_boundary_degc: float
    session_contact_s: float
    day_contact_s: float
    day_sessions: float

    def __post_init__(self) -> None:
        for field in fields(self):
            check_limit(field.name, getattr(self, field.name))
        for low, high in ORDERED:
            if not getattr(self, low) < getattr(self, high):
                raise QuantityError(
                    f"{low} ({getattr(self, low)}) must be below {high} ({getattr(self, high)})", key=low, other=high
                )


ORDERED = (
    ("skin_stop_degc", "skin_warn_degc"),
    ("plate_floor_degc", "plate_warn_degc"),
    ("plate_warn_degc", "plate_ceiling_degc"),
    ("sink_warn_degc", "sink_trip_degc"),
)
"""Pairs of limits whose first must lie below the second."""

STATIC_HOLD_S: Mapping[Zone, float] = MappingProxyType(
    {Zone.NECK: 20.0, Zone.NOSE: 10.0, Zone.PERIORBITAL: 10.0, Zone.OTHER: 10.0}
)
"""Zones stricter than ``static_hold_s`` (clinical note 5.3; 'other' takes the strictest)."""

PLATE_UNDER_FLOOR_K = 1.0
"""Plate this far under the floor trips, K (alarm A04 of the clinical note)."""
PLATE_UNDER_SETPOINT_K = 2.0
"""Plate this far under the setpoint trips while cooling, K (alarm A04 of the clinical note)."""
FAN_STILL_S = 2.0
"""Longest driven time without the fan turning, s: it starts within 1 s (engineering default)."""
PLATE_SAME_S = 5.0
"""Longest time a plate channel may repeat itself to the hundredth while driven, s: its noise is larger (fault matrix
S03; engineering default)."""
UNANSWERED_S = 8.0
"""Longest time hard drive off the skin may go without the plate falling, s: a sound plate falls by half a kelvin in
under one (fault matrix S09 gives 10 s; engineering default)."""
UNHELD_S = 3.0
"""Longest time hard drive may bring the plate no closer to its setpoint, on the skin or off it, s: a plate whose
sensors have come loose falls by 2.5 K meanwhile (fault matrix S09; engineering default)."""
RESIDUAL_K = 2.0
"""Furthest both plate sensors may drift to the warm side of what the module's voltage says of the plate, K; with the
kelvin that is forgiven in precool it is 3, and 5 degC less that is the plate's hard floor (fault matrix S07;
engineering default)."""
RISEN_K = 2.0
"""Furthest a plate may rise under hard drive off the skin, K (fault matrix A03; engineering default)."""
FREEZE_RISEN_K = 0.3
"""Furthest skin at 1 degC or below may jump up within half a second, K (alarm A03 of the clinical note)."""
IDLE_S = 3.0
"""Longest time a plate well above its setpoint may go without current while it is told to cool, s: a relay closes and a
regulator answers within one (clinical note 4.1, open thermoelectric: 0.5 s; engineering default)."""
PLATE_NOISE_K = 0.3
"""Furthest a plate channel may jump to and fro between samples on average, K: its noise gives 0.04, a plate in motion
nothing (fault matrix S05, S06; engineering default)."""
WAND_CLOCK_PCT = 2.0
"""Furthest the wand's clock may be off ours, % (docs/architecture.md; engineering default)."""
RETREAT_S = 300.0
"""Shortest time between the contacts of two sessions on one zone, s (clinical note D13)."""
RETREAT_SKIN_DEGC = 28.0
"""Worst-case skin a zone must have come back to before another session on it, degC (clinical note D13)."""
CYCLE_SKIN_DEGC = 15.0
"""Worst-case skin a zone must have come back to before the next cold phase of one treatment, degC
(docs/architecture.md; engineering default)."""
REST_APART_K = 3.0
"""Furthest a plate channel may be from the sink before a session, K: undriven metal agrees within three minutes (fault
matrix S07, S16; engineering default)."""
CALIBRATED_FOR_DAYS = 365.0
"""A calibration older than twelve months does not count any more (hazard H22; engineering default)."""
BASELINE_SKIN_DEGC = (28.0, 37.0)
"""Skin before the first contact, degC (clinical note 4.3)."""


def check_limit(name: str, value: float) -> float:
    """Return ``value`` if limit ``name`` may take it.

    Raises:
        QuantityError: Not a finite number inside the envelope, by as little as one ulp.
    """
    bound = ENVELOPE[name]
    if math.isfinite(value) and bound.low <= value <= bound.high:
        return value
    raise QuantityError(
        f"{name} = {value!r} is outside its envelope [{bound.low:g}, {bound.high:g}] {bound.unit} ({bound.source})",
        key=name,
        value=value,
        low=bound.low,
        high=bound.high,
    )


def limits(settings: Mapping[str, float] | None = None) -> Limits:
    """Limits from settings; what settings do not say is the envelope's default.

    Raises:
        QuantityError: A limit outside the envelope or two in the wrong order.
        KeyError: A name that is no limit (the settings loader has refused it before).
    """
    given = dict(settings or {})
    unknown = given.keys() - ENVELOPE.keys()
    if unknown:
        raise KeyError(sorted(unknown))
    return Limits(**{name: given.get(name, bound.initial) for name, bound in ENVELOPE.items()})


def intersect(in_force: Limits, identity: Identity) -> Limits:
    """Tighten limits by what the wand itself accepts, so that no order can be outside either.

    Raises:
        QuantityError: The wand's limits and ours leave nothing between them.
    """
    floor = max(in_force.plate_floor_degc, identity.setpoint_min_degc, identity.cold_cutout_degc + 1.0)
    ceiling = min(in_force.plate_ceiling_degc, identity.hot_cutout_degc)
    sink = min(in_force.sink_trip_degc, identity.sink_cutout_degc)
    return replace(
        in_force,
        plate_floor_degc=floor,
        plate_ceiling_degc=ceiling,
        plate_warn_degc=min(in_force.plate_warn_degc, ceiling - 1.0),
        sink_trip_degc=sink,
        sink_warn_degc=min(in_force.sink_warn_degc, sink - 1.0),
    )


def static_hold_s(in_force: Limits, zone: Zone) -> float:
    """Longest static contact in a zone, seconds."""
    return min(in_force.static_hold_s, STATIC_HOLD_S.get(zone, in_force.static_hold_s))
