"""Identity, status and order as the kit reads and writes them, typed from the tables of docs/wire.md.

Shares no table with ``cryodevice.wire.registers``: a scale or an address that is wrong there is not wrong here too.
"""

import struct
from typing import Final, NamedTuple

IDENTITY_BASE, IDENTITY_COUNT = 0x0000, 24
STATUS_BASE, STATUS_COUNT = 0x0100, 32
ORDER_BASE, ORDER_COUNT = 0x0200, 8
SCRATCH: Final = 0x02F0
RESET_KEY: Final = 0x5AFE
_IDENTITY = struct.Struct(">4HI4H2h3H3h3H3H")
_STATUS = struct.Struct(">HIHHIH5hH2h2Hh13H")
_CENTI: Final = 100.0


class BlockError(Exception):
    """A block that came with the wrong number of bytes."""


class Identity(NamedTuple):
    """The 24 registers, temperatures in degC, the area in cm2."""

    magic: int
    wire_version: int
    applicator: int
    capabilities: int
    serial_number: int
    firmware_version: int
    firmware_patch: int
    boot_id: int
    simulated: int
    setpoint_min_degc: float
    setpoint_max_degc: float
    lease_max_ms: int
    cooling_max_s: int
    calibration_day: int
    cold_cutout_degc: float
    hot_cutout_degc: float
    sink_cutout_degc: float
    drive_max_ma: int
    tick_ms: int
    plate_area_cm2: float
    reserved: tuple[int, int, int]


class Status(NamedTuple):
    """The 32 registers; ``None`` is *not available*, temperatures in degC."""

    sequence: int
    uptime_ms: int
    state: int
    flags: int
    faults: int
    trip_code: int
    plate_a_degc: float | None
    plate_b_degc: float | None
    skin_ir_degc: float | None
    sink_degc: float | None
    ambient_degc: float | None
    humidity_pct: float | None
    drive_ma: int | None
    drive_mv: int | None
    fan_rpm: int | None
    lease_remaining_ms: int
    setpoint_degc: float | None
    order_sequence: int
    supply_kpa: int | None
    distance_mm: int | None
    token: int
    order_epoch: int
    last_refusal: int
    refusals: int
    bad_frames: int
    cooling_s: int
    boot_id_now: int
    reserved: tuple[int, int, int]

    def has(self, flag: int) -> bool:
        """Whether a flag bit is set."""
        return bool(self.flags & flag)

    @property
    def plates(self) -> list[float]:
        """The plate channels that show a value."""
        return [value for value in (self.plate_a_degc, self.plate_b_degc) if value is not None]


class Order(NamedTuple):
    """The 8 registers, each as it stands on the wire; the setpoint in counts of 0.01 degC."""

    number: int
    mode: int = 0
    setpoint: int = 0
    lease_ms: int = 0
    echo: int = 0
    boot_id: int = 0
    token: int = 0
    key: int = 0

    @property
    def bytes(self) -> bytes:
        """Registers in address order, each high byte first."""
        return b"".join((word & 0xFFFF).to_bytes(2, "big") for word in self)


def read_identity(data: bytes) -> Identity:
    """The identity block of 48 bytes.

    Raises:
        BlockError: Not 48 bytes.
    """
    if len(data) != _IDENTITY.size:
        raise BlockError(f"an identity has {_IDENTITY.size} bytes, this one {len(data)}")
    v = _IDENTITY.unpack(data)
    degc = [count / _CENTI for count in (*v[9:11], *v[14:17])]
    return Identity._make((*v[:9], *degc[:2], *v[11:14], *degc[2:], *v[17:19], v[19] / _CENTI, v[20:]))


def read_status(data: bytes) -> Status:
    """The status block of 64 bytes.

    Raises:
        BlockError: Not 64 bytes.
    """
    if len(data) != _STATUS.size:
        raise BlockError(f"a status has {_STATUS.size} bytes, this one {len(data)}")
    v = _STATUS.unpack(data)
    temperatures = (_degc(count) for count in v[6:11])
    humidity = None if v[11] == 0xFFFF else v[11] / _CENTI
    drive_and_fan = (_signed(v[12]), _signed(v[13]), _unsigned(v[14]))
    lease = (v[15], _degc(v[16]), v[17], _unsigned(v[18]), _unsigned(v[19]))
    return Status._make((*v[:6], *temperatures, humidity, *drive_and_fan, *lease, *v[20:27], v[27:]))


def _degc(count: int) -> float | None:
    return None if count == -0x8000 else count / _CENTI


def _signed(count: int) -> int | None:
    return None if count == -0x8000 else count


def _unsigned(count: int) -> int | None:
    return None if count == 0xFFFF else count
