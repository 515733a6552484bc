"""The catalogue of lies: what firmware says that is not so, and what it says it is."""

from collections.abc import Callable, Mapping
from typing import Final

from cryodevice.wire.codes import Capability
from firmware_sim.faults.effect import Effect
from firmware_sim.faults.effects import FirmwareSwitches
from firmware_sim.faults.kinds import FaultKind
from firmware_sim.faults.parameters import Parameter, Values
from firmware_sim.faults.wand_effects import MissingCapability, UptimeLie

_CAPABILITIES: Final = tuple(capability.name.lower() for capability in Capability if capability.name)


def _kind(name: str, rows: str, summary: str, new: Callable[[Values], Effect], *parameters: Parameter) -> FaultKind:
    return FaultKind(name, "firmware", tuple(rows.split()), summary, new, parameters)


def _says(of: Callable[[Values], Mapping[str, object]]) -> Callable[[Values], Effect]:
    def new(values: Values) -> Effect:
        settings = of(values)
        return FirmwareSwitches(values, lambda _: settings)

    return new


def _word(name: str, default: int) -> Parameter:
    return Parameter(name, default, 0, 65535, whole=True)


KINDS: Final = (
    _kind(
        "lies_drive_off", "F07", "Says that the drive is off, the relay open and no lease live, whatever is.",
        _says(lambda _: {"report_drive_off": True}),
    ),
    _kind(
        "lies_plate", "F07", "Says that both plate channels show this.",
        _says(lambda values: {"report_plate_degc": values["degc"]}), Parameter("degc", 8.0, -40.0, 85.0, "degC"),
    ),
    _kind(
        "lies_no_faults", "F07", "Says that there is no fault and no trip, whatever there is.",
        _says(lambda _: {"report_no_faults": True}),
    ),
    _kind(
        "status_frozen", "F07 S15", "Repeats the last status word for word.", _says(lambda _: {"status_frozen": True}),
    ),
    _kind(
        "sequence_without_sampling", "F07 S15", "The sequence counts on though nothing is sampled any more.",
        _says(lambda _: {"sampling_stopped": True}),
    ),
    _kind(
        "lease_report_wrong", "F10 P10", "Says that this much more is left of the lease than is.",
        _says(lambda values: {"lease_report_offset_ms": values["offset_ms"]}),
        Parameter("offset_ms", 100, -65535, 65535, "ms", whole=True),
    ),
    _kind(
        "clock_drift", "F06", "The wand's clock runs this many times as fast: the uptime it tells, and the leases it counts.",
        UptimeLie.drifting, Parameter("rate", 1.1, 0.1, 10.0),
    ),
    _kind(
        "uptime_jump", "F06 P06", "The uptime that is told jumps.",
        UptimeLie.jumping, Parameter("jump_ms", 5000, -2_000_000_000, 2_000_000_000, "ms", whole=True),
    ),
    _kind(
        "uptime_rollover", "F09", "The uptime that is told is just before it rolls over after 49.7 days; who knows the wand already sees a jump first.",
        UptimeLie.rolling, Parameter("before_ms", 1000, 0, 3_600_000, "ms", whole=True),
    ),
    _kind(
        "calibration_old", "F05 S16", "Says that it was calibrated on this day since 2000-01-01.",
        _says(lambda values: {"calibration_day": values["day"]}), _word("day", 7000),
    ),
    _kind("wrong_magic", "L10", "Says another magic word: this is no wand.", _says(lambda values: {"magic": values["word"]}), _word("word", 0x1234)),
    _kind(
        "wrong_wire_version", "P05", "Says another wire version, 8.8.",
        _says(lambda values: {"wire_version": values["version"]}), _word("version", 0x0200),
    ),
    _kind(
        "older_firmware", "F08", "Says another firmware version, 8.8.",
        _says(lambda values: {"firmware_version": values["version"]}), _word("version", 0x0001),
    ),
    _kind(
        "wrong_applicator", "F08 L10", "Says that it is another applicator; 1 is a jet.",
        _says(lambda values: {"applicator": values["kind"]}), _word("kind", 1),
    ),
    _kind(
        "wrong_serial_number", "L09", "Says another serial number: another wand is on the port.",
        _says(lambda values: {"serial_number": values["serial_number"]}),
        Parameter("serial_number", 4711, 0, 0xFFFFFFFF, whole=True),
    ),
    _kind(
        "missing_capability", "F08", "Says that it lacks this; what it then still says of it is as before.",
        MissingCapability, Parameter("capability", "trigger", choices=_CAPABILITIES),
    ),
    _kind("claims_to_be_real", "F08", "Says that it is no simulation.", _says(lambda _: {"simulated": 0})),
    _kind(
        "wider_limits", "F08", "Says that it accepts a colder and a warmer setpoint than it does.",
        _says(lambda values: {"setpoint_min_degc": values["low_degc"], "setpoint_max_degc": values["high_degc"]}),
        Parameter("low_degc", -10.0, -40.0, 40.0, "degC"), Parameter("high_degc", 50.0, 0.0, 80.0, "degC"),
    ),
)  # fmt: skip
