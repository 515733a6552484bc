"""The three blocks as typed records in engineering units; words in, record out, and back.

The table in ``registers`` is the only place with addresses and scales. ``None`` means *not available*.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryodevice.errors import WireError
from cryodevice.frozen import maker
from cryodevice.quantities import Celsius, Milliseconds
from cryodevice.wire import registers
from cryodevice.wire.codes import Capability, Fault, Flag, Mode


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the wand is and what it may do (block 0x0000)."""

    magic: int
    wire_version: int
    applicator: int
    capabilities: Capability
    serial_number: int
    firmware_version: int
    firmware_patch: int
    boot_id: int
    simulated: bool
    setpoint_min_degc: Celsius
    setpoint_max_degc: Celsius
    lease_max_ms: Milliseconds
    cooling_max_s: int
    calibration_day: int
    cold_cutout_degc: Celsius
    hot_cutout_degc: Celsius
    sink_cutout_degc: Celsius
    drive_max_ma: int
    tick_ms: Milliseconds
    plate_area_cm2: float

    @property
    def firmware(self) -> str:
        """Firmware version as major.minor.patch."""
        return f"{self.firmware_version >> 8}.{self.firmware_version & 0xFF}.{self.firmware_patch}"


@dataclass(frozen=True, slots=True)
class Status:
    """What the wand measures and does (block 0x0100).

    ``state``, ``trip_code`` and ``last_refusal`` stay raw codes, so that one this version does not know is still
    carried, never guessed.
    """

    sequence: int
    uptime_ms: Milliseconds
    state: int
    flags: Flag
    faults: Fault
    trip_code: int
    plate_a_degc: Celsius | None
    plate_b_degc: Celsius | None
    skin_ir_degc: Celsius | None
    sink_degc: Celsius | None
    ambient_degc: Celsius | None
    humidity_pct: float | None
    drive_ma: int | None
    drive_mv: int | None
    fan_rpm: int | None
    lease_remaining_ms: Milliseconds
    setpoint_degc: Celsius | None
    order_sequence: int
    supply_kpa: int | None
    distance_mm: int | None
    token: int
    order_epoch: int
    last_refusal: int
    refusals: int
    bad_frames: int
    cooling_s: int
    boot_id: int


@dataclass(frozen=True, slots=True)
class Order:
    """What the daemon asks for (block 0x0200)."""

    sequence: int
    mode: Mode
    setpoint_degc: Celsius
    lease_ms: Milliseconds
    echo: int
    boot_id: int
    token: int
    reset_key: int = 0

    @property
    def is_stop(self) -> bool:
        """Mode 0, lease 0, key 0: accepted always, drive to zero in the same firmware tick."""
        return self.mode is Mode.OFF and self.lease_ms == 0 and self.reset_key == 0


_FLAG_BITS = int(max(Flag)) * 2 - 1
_INT_FIELDS = frozenset(
    field.name for field in (*registers.IDENTITY, *registers.STATUS, *registers.ORDER) if field.scale == 1
)
_status = maker(Status)
_STATUS_WIDTH = len(Status.__dataclass_fields__)
_FLAGS, _FAULTS = (tuple(Status.__dataclass_fields__).index(name) for name in ("flags", "faults"))
_ORDER_NAMES = {
    "sequence": "order_number",
    "setpoint_degc": "order_setpoint_degc",
    "boot_id": "order_boot_id",
    "token": "order_token",
}
_ATTRIBUTES = {field: name for name, field in _ORDER_NAMES.items()}
_ORDER_ATTRIBUTES = tuple(_ATTRIBUTES.get(name, name) for name in registers.layout(registers.ORDER).names)


def _values(block: Sequence[registers.Field], words: Sequence[int]) -> dict[str, float | int | None]:
    return {
        name: int(value) if value is not None and name in _INT_FIELDS else value
        for name, value in registers.unpack(block, words).items()
        if "reserved" not in name
    }


def unpack_identity(words: Sequence[int]) -> Identity:
    """Identity of 24 registers. Does not judge it; a wrong magic is for the caller to refuse.

    Raises:
        WireError: Wrong number of registers.
    """
    values = dict(_values(registers.IDENTITY, words))
    values["capabilities"] = Capability(int(values["capabilities"] or 0) & 0x07FF)
    values["simulated"] = bool(values["simulated"])
    return Identity(**values)  # type: ignore[arg-type]  # names and types are held to the table by a test


def pack_identity(identity: Identity) -> list[int]:
    """The 24 registers of an identity.

    Raises:
        WireError: A value does not fit its register.
    """
    names = (field.name for field in registers.IDENTITY if "reserved" not in field.name)
    return registers.pack(registers.IDENTITY, {name: float(getattr(identity, name)) for name in names})


def unpack_status(words: Sequence[int]) -> Status:
    """Status of 32 registers.

    Raises:
        WireError: Wrong number of registers.
    """
    values: list[Any] = registers.layout(registers.STATUS).read(words)[:_STATUS_WIDTH]
    values[_FLAGS] = Flag(int(values[_FLAGS] or 0) & _FLAG_BITS)
    values[_FAULTS] = Fault(int(values[_FAULTS] or 0) & 0x001F_FFFF)
    return _status(*values)  # the record has the table's fields in its order; the golden vectors hold it to that


def pack_status(status: Status) -> list[int]:
    """The 32 registers of a status.

    Raises:
        WireError: A value does not fit its register.
    """
    values: dict[str, float | None] = {}
    for field in registers.STATUS:
        if "reserved" not in field.name:
            values[field.name] = getattr(status, "boot_id" if field.name == "boot_id_now" else field.name)
    return registers.pack(registers.STATUS, values)


def unpack_order(words: Sequence[int]) -> tuple[Order | None, dict[str, float | int | None]]:
    """Order of 8 registers, and its raw values; the order is ``None`` when its mode is no mode of this version.

    Raises:
        WireError: Wrong number of registers.
    """
    raw = _values(registers.ORDER, words)
    known = {mode.value for mode in Mode}
    if raw["mode"] not in known:
        return None, raw
    return _order(raw), raw


def _order(raw: dict[str, float | int | None]) -> Order:
    values: dict[str, object] = {
        name: raw[_ORDER_NAMES.get(name, name)] for name in Order.__dataclass_fields__ if name != "mode"
    }
    return Order(mode=Mode(int(raw["mode"] or 0)), **values)  # type: ignore[arg-type]  # held to the table by a test


def pack_order(order: Order) -> list[int]:
    """The 8 registers of an order. A stop may carry token 0 (LEASE-01); nothing else may.

    Raises:
        WireError: A value does not fit its register, or no token on an order that is not a stop.
    """
    if order.token == 0 and not order.is_stop:
        raise WireError("an order that is not a stop carries a non-zero session token", order=order)
    return registers.layout(registers.ORDER).write([getattr(order, name) for name in _ORDER_ATTRIBUTES])
