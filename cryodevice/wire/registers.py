"""The register table: one row a field, and what a row's words mean as a number.

Knows nothing of frames, functions or transports. Registers are 16-bit; u32 takes two, high word first. ``scale`` is
the engineering value of one count. *Not available* is -32768 for i16 and 0xFFFF for u16, and reads as ``None``.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from cryodevice.errors import WireError

WIRE_MAGIC = 0x4357
WIRE_VERSION = 0x0100
"""Wire version 8.8: major 1, minor 0. A different major is refused."""

IDENTITY_BASE, IDENTITY_COUNT = 0x0000, 24
STATUS_BASE, STATUS_COUNT = 0x0100, 32
ORDER_BASE, ORDER_COUNT = 0x0200, 8
SCRATCH_ADDRESS = 0x02F0
"""A word without effect, for link tests (FC 6, FC 16)."""

NA_I16 = -0x8000
NA_U16 = 0xFFFF
RESET_KEY = 0x5AFE


class Kind(Enum):
    """How a field's words are read."""

    U16 = "u16"
    I16 = "i16"
    U32 = "u32"


class Access(Enum):
    """Who may write a field."""

    READ = "R"
    READ_WRITE = "R/W"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one block.

    Args:
        name: As in docs/wire.md; unit suffix included where the value has one.
        address: Absolute register address of the first word.
        kind: u16, i16 or u32.
        scale: Engineering units per count (1 for codes, counters and bit sets).
        unit: Unit of the scaled value, empty for codes, counters and bit sets.
        access: R or R/W.
        description: What it says.
        optional: Whether the *not available* sentinel may stand here.
    """

    name: str
    address: int
    kind: Kind
    scale: float
    unit: str
    access: Access
    description: str
    optional: bool = False

    @property
    def width(self) -> int:
        """Number of registers."""
        return 2 if self.kind is Kind.U32 else 1

    def decode(self, words: Sequence[int]) -> float | None:
        """Engineering value of this field's words; ``None`` when not available.

        Counts are divided by an exact power of ten where the scale is one, so that 0.01 x 100 is 1.0.
        """
        if self.kind is Kind.U32:
            return (words[0] << 16 | words[1]) * self.scale
        word = words[0]
        if self.kind is Kind.I16:
            count = word - 0x10000 if word & 0x8000 else word
            if self.optional and count == NA_I16:
                return None
        else:
            count = word
            if self.optional and count == NA_U16:
                return None
        return count / self._per_unit if self._per_unit else count * self.scale

    def encode(self, value: float | None) -> tuple[int, ...]:
        """Words of an engineering value, rounded to the nearest count.

        Raises:
            WireError: ``None`` where not-available may not stand, or a value that is not finite or does not fit.
        """
        if value is None:
            if not self.optional:
                raise WireError(f"{self.name} cannot be 'not available'", field=self.name)
            return (NA_I16 & 0xFFFF,) if self.kind is Kind.I16 else (NA_U16,)
        if not math.isfinite(value):
            raise WireError(f"{self.name} = {value} is not a finite number", field=self.name, value=value)
        count = round(value * self._per_unit) if self._per_unit else round(value / self.scale)
        if self.kind is Kind.U16:
            low, high = 0, NA_U16 - 1 if self.optional else NA_U16
        elif self.kind is Kind.I16:
            low, high = NA_I16 + 1 if self.optional else NA_I16, 0x7FFF
        else:
            low, high = 0, 0xFFFF_FFFF
        if not low <= count <= high:
            raise WireError(
                f"{self.name} = {value} {self.unit} does not fit its register", field=self.name, value=value
            )
        if self.kind is Kind.U32:
            return (count >> 16, count & 0xFFFF)
        return (count & 0xFFFF,)

    @property
    def _per_unit(self) -> int:
        """Counts per unit where the scale is 0.1 or 0.01, else 0."""
        return _EXACT_INVERSE.get(self.scale, 0)


_EXACT_INVERSE = {0.1: 10, 0.01: 100}


def _block(
    base: int, access: Access, rows: Sequence[tuple[int, str, Kind, float, str, bool, str]]
) -> tuple[Field, ...]:
    return tuple(
        Field(name, base + offset, kind, scale, unit, access, description, optional)
        for offset, name, kind, scale, unit, optional, description in rows
    )


_U, _I, _L = Kind.U16, Kind.I16, Kind.U32

IDENTITY = _block(
    IDENTITY_BASE,
    Access.READ,
    [
        (0, "magic", _U, 1, "", False, "0x4357, 'CW'"),
        (1, "wire_version", _U, 1, "", False, "wire version 8.8, 0x0100"),
        (2, "applicator", _U, 1, "", False, "0 plate, 1 jet"),
        (3, "capabilities", _U, 1, "", False, "capability bits"),
        (4, "serial_number", _L, 1, "", False, "serial number of the wand"),
        (6, "firmware_version", _U, 1, "", False, "firmware major.minor 8.8"),
        (7, "firmware_patch", _U, 1, "", False, "firmware patch"),
        (8, "boot_id", _U, 1, "", False, "persisted boot counter, never 0"),
        (9, "simulated", _U, 1, "", False, "1 when there is no real wand"),
        (10, "setpoint_min_degc", _I, 0.01, "degC", False, "lowest setpoint accepted"),
        (11, "setpoint_max_degc", _I, 0.01, "degC", False, "highest setpoint accepted"),
        (12, "lease_max_ms", _U, 1, "ms", False, "longest lease"),
        (13, "cooling_max_s", _U, 1, "s", False, "longest contact cooling"),
        (14, "calibration_day", _U, 1, "d", False, "calibration date, days since 2000-01-01"),
        (15, "cold_cutout_degc", _I, 0.01, "degC", False, "firmware's cold cut-out"),
        (16, "hot_cutout_degc", _I, 0.01, "degC", False, "firmware's hot cut-out"),
        (17, "sink_cutout_degc", _I, 0.01, "degC", False, "firmware's sink cut-out"),
        (18, "drive_max_ma", _U, 1, "mA", False, "maximum drive"),
        (19, "tick_ms", _U, 1, "ms", False, "firmware tick"),
        (20, "plate_area_cm2", _U, 0.01, "cm2", False, "plate area"),
        (21, "identity_reserved_21", _U, 1, "", False, "0"),
        (22, "identity_reserved_22", _U, 1, "", False, "0"),
        (23, "identity_reserved_23", _U, 1, "", False, "0"),
    ],
)

STATUS = _block(
    STATUS_BASE,
    Access.READ,
    [
        (0, "sequence", _U, 1, "", False, "+1 each firmware tick"),
        (1, "uptime_ms", _L, 1, "ms", False, "time since boot"),
        (3, "state", _U, 1, "", False, "0 off, 1 armed, 2 cooling, 3 warming, 4 tripped"),
        (4, "flags", _U, 1, "", False, "flag bits"),
        (5, "faults", _L, 1, "", False, "fault bits, present conditions"),
        (7, "trip_code", _U, 1, "", False, "first cause, latched"),
        (8, "plate_a_degc", _I, 0.01, "degC", True, "plate temperature, channel A"),
        (9, "plate_b_degc", _I, 0.01, "degC", True, "plate temperature, channel B"),
        (10, "skin_ir_degc", _I, 0.01, "degC", True, "skin temperature, infra-red"),
        (11, "sink_degc", _I, 0.01, "degC", True, "sink temperature"),
        (12, "ambient_degc", _I, 0.01, "degC", True, "ambient temperature"),
        (13, "humidity_pct", _U, 0.01, "%", True, "ambient humidity"),
        (14, "drive_ma", _I, 1, "mA", True, "drive current, signed, positive cools"),
        (15, "drive_mv", _I, 1, "mV", True, "drive voltage"),
        (16, "fan_rpm", _U, 1, "rpm", True, "fan speed"),
        (17, "lease_remaining_ms", _U, 1, "ms", False, "max(0, deadline - now)"),
        (18, "setpoint_degc", _I, 0.01, "degC", True, "setpoint in force"),
        (19, "order_sequence", _U, 1, "", False, "order sequence last accepted"),
        (20, "supply_kpa", _U, 1, "kPa", True, "supply pressure (jet)"),
        (21, "distance_mm", _U, 1, "mm", True, "distance to skin (jet)"),
        (22, "token", _U, 1, "", False, "session token in force, 0 none"),
        (23, "order_epoch", _U, 1, "", False, "+1 for every order accepted from any master"),
        (24, "last_refusal", _U, 1, "", False, "refusal code of the last order refused, 0 none"),
        (25, "refusals", _U, 1, "", False, "refusals counted"),
        (26, "bad_frames", _U, 1, "", False, "bad frames counted"),
        (27, "cooling_s", _U, 1, "s", False, "contact cooling since boot, as firmware counts it"),
        (28, "boot_id_now", _U, 1, "", False, "boot id"),
        (29, "status_reserved_29", _U, 1, "", False, "0"),
        (30, "status_reserved_30", _U, 1, "", False, "0"),
        (31, "status_reserved_31", _U, 1, "", False, "0"),
    ],
)

ORDER = _block(
    ORDER_BASE,
    Access.READ_WRITE,
    [
        (0, "order_number", _U, 1, "", False, "order sequence, +1 each order"),
        (1, "mode", _U, 1, "", False, "0 off, 1 cool, 2 warm"),
        (2, "order_setpoint_degc", _I, 0.01, "degC", False, "setpoint"),
        (3, "lease_ms", _U, 1, "ms", False, "lease"),
        (4, "echo", _U, 1, "", False, "sequence of the status that was judged"),
        (5, "order_boot_id", _U, 1, "", False, "boot id of the wand this order is for"),
        (6, "order_token", _U, 1, "", False, "session token, non-zero, chosen by the daemon"),
        (7, "reset_key", _U, 1, "", False, "0x5AFE to reset a trip, else 0"),
    ],
)

FIELDS: Mapping[str, Field] = {field.name: field for field in (*IDENTITY, *STATUS, *ORDER)}
"""Every field of the wire by name; names are unique across blocks."""


class Layout:
    """One block as a whole, for moving it at every tick. Made from the rows; holds no fact of its own.

    One ``struct`` call moves all counts; only the fields that are scaled or may be missing are looked at one by one.

    Attributes:
        block: The rows it was made from.
        names: Of the fields, in the order ``read`` gives their values.
    """

    def __init__(self, block: Sequence[Field]) -> None:
        self.block = block
        self.names = tuple(field.name for field in block)
        self._words = struct.Struct(f">{sum(field.width for field in block)}H")
        self._counts = struct.Struct(">" + "".join(_FORMAT[field.kind] for field in block))
        self._scaled = tuple(
            (index, _NA[field.kind] if field.optional else None, field.scale, _EXACT_INVERSE.get(field.scale))
            for index, field in enumerate(block)
            if field.optional or field.scale != 1
        )

    def read(self, words: Sequence[int]) -> list[float | None]:
        """Values of all fields, in table order; whole numbers stay ``int``, not available is ``None``.

        Raises:
            WireError: The number of words is not the block's, or one is no 16-bit word.
        """
        try:
            values: list[float | None] = list(self._counts.unpack(self._words.pack(*words)))
        except struct.error as error:
            raise WireError(
                f"a block of {self._words.size // 2} registers came with {len(words)}", words=list(words)
            ) from error
        for index, missing, scale, inverse in self._scaled:
            count = values[index]
            if count == missing:
                values[index] = None
            elif scale != 1 and count is not None:
                values[index] = count / inverse if inverse else count * scale
        return values

    def write(self, values: Sequence[float | None]) -> list[int]:
        """Words of the block from the values of all fields in table order, ``None`` for *not available*.

        Raises:
            WireError: A value does not fit its register; found, and said, by ``pack``.
        """
        counts: list[Any] = list(values)
        try:
            for index, missing, scale, inverse in self._scaled:
                count = counts[index]
                if count is None:
                    counts[index] = missing
                    continue
                if scale != 1:
                    count = counts[index] = round(count * inverse) if inverse else round(count / scale)
                if count == missing:
                    counts[index] = None  # a value must not read as none; the next line stumbles over it
            return list(self._words.unpack(self._counts.pack(*counts)))
        except (struct.error, TypeError, ValueError, OverflowError):
            return pack(self.block, dict(zip(self.names, values, strict=True)))


def layout(block: Sequence[Field]) -> Layout:
    """The layout of a block, made once for each table."""
    known = _LAYOUTS.get(id(block))
    if known is None or known.block is not block:
        known = _LAYOUTS[id(block)] = Layout(block)
    return known


_LAYOUTS: dict[int, Layout] = {}
_FORMAT = {Kind.U16: "H", Kind.I16: "h", Kind.U32: "I"}
_NA = {Kind.U16: NA_U16, Kind.I16: NA_I16, Kind.U32: None}


def unpack(block: Sequence[Field], words: Sequence[int]) -> dict[str, float | None]:
    """Field values by name of one whole block read as ``words``.

    Raises:
        WireError: The number of words is not the block's.
    """
    base = block[0].address
    expected = block[-1].address - base + block[-1].width
    if len(words) != expected:
        raise WireError(f"a block of {expected} registers came with {len(words)}", words=list(words))
    return {field.name: field.decode(words[field.address - base : field.address - base + 2]) for field in block}


def pack(block: Sequence[Field], values: Mapping[str, float | None]) -> list[int]:
    """Words of one whole block, each at its address; names not given are written as 0.

    Raises:
        WireError: A value does not fit its register.
        KeyError: A name that is not in the block (a programming error).
    """
    unknown = values.keys() - {field.name for field in block}
    if unknown:
        raise KeyError(sorted(unknown))
    base = block[0].address
    words = [0] * (block[-1].address - base + block[-1].width)
    for field in block:
        offset = field.address - base
        words[offset : offset + field.width] = field.encode(values.get(field.name, 0))
    return words
