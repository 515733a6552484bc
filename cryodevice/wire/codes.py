"""The bits and codes of the wire: capabilities, flags, faults, states, trips, refusals, modes. Facts only."""

from enum import IntEnum, IntFlag


class Applicator(IntEnum):
    """Identity +2."""

    PLATE = 0
    JET = 1


class Capability(IntFlag):
    """Identity +3. A missing capability makes its flag unknown, never safe."""

    SKIN_IR = 1 << 0
    CONTACT = 1 << 1
    MOTION = 1 << 2
    TRIGGER = 1 << 3
    TIP = 1 << 4
    FAN_TACHOMETER = 1 << 5
    CUTOFF_RELAY = 1 << 6
    HUMIDITY = 1 << 7
    WARM = 1 << 8
    SUPPLY_PRESSURE = 1 << 9
    DISTANCE = 1 << 10


REQUIRED_TO_COOL = Capability.CONTACT | Capability.TRIGGER | Capability.FAN_TACHOMETER | Capability.CUTOFF_RELAY


class State(IntEnum):
    """Status +3."""

    OFF = 0
    ARMED = 1
    COOLING = 2
    WARMING = 3
    TRIPPED = 4


class Flag(IntFlag):
    """Status +4."""

    LEASE_LIVE = 1 << 0
    CONTACT = 1 << 1
    TRIGGER = 1 << 2
    ESTOP = 1 << 3
    TIP = 1 << 4
    FAN = 1 << 5
    SETPOINT_REACHED = 1 << 6
    MOTION = 1 << 7
    RELAY_CLOSED = 1 << 8
    TRIP_LATCHED = 1 << 9


class Fault(IntFlag):
    """Status +5,6: conditions present now."""

    PLATE_A_OPEN = 1 << 0
    PLATE_A_SHORT = 1 << 1
    PLATE_B_OPEN = 1 << 2
    PLATE_B_SHORT = 1 << 3
    CHANNELS_APART = 1 << 4
    PLATE_COLD = 1 << 5
    PLATE_HOT = 1 << 6
    SINK_HOT = 1 << 7
    SINK_SENSOR = 1 << 8
    FAN_STOPPED = 1 << 9
    OVER_CURRENT = 1 << 10
    DRIVE_UNCOMMANDED = 1 << 11
    RELAY_DISOBEYS = 1 << 12
    SUPPLY = 1 << 13
    ESTOP = 1 << 14
    TIP_MISSING = 1 << 15
    CALIBRATION = 1 << 16
    SKIN_SENSOR = 1 << 17
    AMBIENT_SENSOR = 1 << 18
    WATCHDOG_RESET = 1 << 19
    BROWNOUT_RESET = 1 << 20


class Trip(IntEnum):
    """Status +7: the first cause, latched."""

    NONE = 0
    LEASE_EXPIRED = 1
    PLATE_COLD = 2
    PLATE_HOT = 3
    PLATE_SENSOR = 4
    CHANNELS_APART = 5
    SINK_HOT = 6
    SINK_SENSOR = 7
    OVER_CURRENT = 8
    DRIVE_UNCOMMANDED = 9
    ESTOP = 10
    LONGEST_COOLING = 11
    RELAY = 12
    SUPPLY = 13
    WATCHDOG = 14
    CALIBRATION = 15


class Refusal(IntEnum):
    """Status +24, and the second byte of a serial error reply."""

    NONE = 0
    SETPOINT = 1
    LEASE_LENGTH = 2
    ECHO = 3
    BOOT_ID = 4
    TOKEN = 5
    SEQUENCE = 6
    TRIP_LATCHED = 7
    MODE = 8
    RESET = 9


class Mode(IntEnum):
    """Order +1."""

    OFF = 0
    COOL = 1
    WARM = 2
