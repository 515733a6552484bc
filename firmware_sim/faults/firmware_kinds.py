"""The catalogue of firmware: what it does wrong. What it only says that is not so is in ``lying_kinds``."""

from collections.abc import Callable
from typing import Final

from firmware_sim.faults.effect import Effect
from firmware_sim.faults.effects import Act, FirmwareSwitches
from firmware_sim.faults.kinds import FaultKind
from firmware_sim.faults.parameters import Parameter, Values
from firmware_sim.faults.wand import Wand
from firmware_sim.faults.wand_effects import Hung, Reboot

_FOR_EVER_MS: Final = 1_000_000_000
_REFUSALS: Final = ("setpoint", "lease_length", "echo", "boot_id", "token", "sequence", "trip_latched", "mode", "reset")
"""By the value of status 24, from 1."""
_PERIOD: Final = Parameter("period_s", 2.0, 0.02, 3600.0, "s")


def _kind(
    name: str,
    rows: str,
    summary: str,
    new: Callable[[Values], Effect],
    *parameters: Parameter,
    count: int | None = None,
) -> FaultKind:
    return FaultKind(name, "firmware", tuple(rows.split()), summary, new, parameters, count)


def _quirk(**settings: object) -> Callable[[Values], Effect]:
    """Quirks that are set whatever the parameters are."""
    return lambda values: FirmwareSwitches(values, lambda _: settings)


def _takes(quirk: str, parameter: str) -> Callable[[Values], Effect]:
    """One quirk that is set to one parameter."""
    return lambda values: FirmwareSwitches(values, lambda _: {quirk: values[parameter]})


def _refusing(values: Values) -> Effect:
    reason = _REFUSALS.index(str(values["reason"])) + 1
    return FirmwareSwitches(values, lambda _: {"refuse_orders": reason})


def _boots(cause: str) -> Callable[[Values], Effect]:
    def act(wand: Wand, _: Values) -> None:
        wand.reboot(cause)

    return lambda values: Act(values, act)


def _jump(wand: Wand, values: Values) -> None:
    wand.firmware.sequence = (wand.firmware.sequence + int(values["ticks"])) % 65536


def _wrap(wand: Wand, values: Values) -> None:
    wand.firmware.sequence = 65535 - int(values["ticks"])


KINDS: Final = (
    _kind(
        "safety_task_dead", "F03 F02",
        "The safety task hangs with the outputs as they are while communication lives on; the relay timer still acts.",
        _quirk(hang_safety_task=True),
    ),
    _kind(
        "hung", "F02",
        "The whole program hangs with the outputs as they are; the relay timer acts or is dead too, the watchdog resets the wand or never does.",
        Hung, Parameter("relay_timer", "works", choices=("works", "dead")),
        Parameter("watchdog", "dead", choices=("works", "dead")), Parameter("watchdog_s", 1.0, 0.02, 60.0, "s"),
    ),
    _kind("watchdog_reset", "F01 F02", "The watchdog resets the wand; it stays tripped.", _boots("watchdog"), count=1),
    _kind("reboot", "F01", "The wand boots as if it had just been plugged in.", _boots("power_on"), count=1),
    _kind("reset_loop", "F04", "The watchdog resets the wand again and again.", _boots("watchdog"), _PERIOD),
    _kind("boot_id_reused", "F01", "The wand boots and does not count the boot.", Reboot, count=1),
    _kind("calibration_invalid", "F05", "The stored calibration fails its check.", _quirk(calibration_invalid=True)),
    _kind("supply_fault", "A12", "The supply monitor reports a fault that is none.", _quirk(supply_out_of_range=True)),
    _kind(
        "sequence_jump", "P06", "The status sequence jumps.", lambda values: Act(values, _jump),
        Parameter("ticks", 1000, 1, 65535, whole=True), count=1,
    ),
    _kind(
        "sequence_wrap", "P06", "The status sequence stands just before it wraps.", lambda values: Act(values, _wrap),
        Parameter("ticks", 3, 0, 65535, whole=True), count=1,
    ),
    _kind(
        "adc_frozen", "S15", "No new samples; the sequence stops, everything else runs on.", _quirk(adc_frozen=True),
    ),
    _kind("cutouts_off", "F03", "The wand's own cut-outs trip on nothing.", _quirk(cutouts_off=True)),
    _kind("trip_unlatched", "F03", "A trip ends with its cause instead of staying latched.", _quirk(trip_unlatched=True)),
    _kind("ignores_stop", "F02 F07", "A stop is answered and counted, and changes nothing.", _quirk(ignores_stop=True)),
    _kind(
        "ignores_lease", "F10", "A lease never ends by itself.", _quirk(lease_overrun_ms=_FOR_EVER_MS),
    ),
    _kind(
        "lease_overrun", "F10", "A lease really ends this much after its deadline.",
        _takes("lease_overrun_ms", "overrun_ms"), Parameter("overrun_ms", 200, 1, 65535, "ms", whole=True),
    ),
    _kind(
        "lease_from_arrival", "P02 F10", "A lease is counted from when the order came, not from the echoed sample.",
        _quirk(lease_from_arrival=True),
    ),
    _kind(
        "refuses_orders", "P10", "Every order but a stop is refused for this reason.",
        _refusing, Parameter("reason", "echo", choices=_REFUSALS),
    ),
    _kind("orders_unapplied", "P07 P08", "Orders but a stop are answered as good and change nothing.", _quirk(orders_unapplied=True)),
    _kind(
        "setpoint_altered", "P08", "An order's setpoint comes into force this much off.",
        _takes("setpoint_offset_k", "offset_k"), Parameter("offset_k", -1.0, -30.0, 30.0, "K"),
    ),
    _kind(
        "regulates_elsewhere", "F07", "The plate is held this much beside the setpoint that is in force.",
        _takes("regulate_offset_k", "offset_k"), Parameter("offset_k", -4.0, -30.0, 30.0, "K"),
    ),
    _kind("full_drive", "F07", "Under a lease for cooling the drive is always the full one.", _quirk(full_drive=True)),
    _kind("drive_ignores_off", "A01", "The drive stage keeps its last current when told off.", _quirk(drive_ignores_off=True)),
    _kind("fan_never_on", "A04 A06", "The fan is never switched on.", _quirk(fan_never_on=True)),
)  # fmt: skip
