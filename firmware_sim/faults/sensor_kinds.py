"""The catalogue of sensors of temperature, current and speed."""

from collections.abc import Callable
from typing import Final

from firmware_sim.faults import plate_effects as plate
from firmware_sim.faults.effect import Effect
from firmware_sim.faults.kinds import FaultKind
from firmware_sim.faults.parameters import Parameter, Values
from firmware_sim.faults.sample_effects import Fixed, Offset, Stuck

CHANNEL: Final = Parameter("channel", "a", choices=("a", "b", "both"))
_BOTH: Final = Parameter("channel", "both", choices=("a", "b", "both"))
_OFFSET: Final = Parameter("offset_k", 2.5, -100.0, 100.0, "K")


def _kind(
    name: str,
    rows: str,
    summary: str,
    new: Callable[[Values], Effect],
    *parameters: Parameter,
    count: int | None = None,
) -> FaultKind:
    return FaultKind(name, "sensor", tuple(rows.split()), summary, new, parameters, count)


def _on(kind: Callable[..., Effect], *fields: str) -> Callable[[Values], Effect]:
    return lambda values: kind(values, *fields)


def _fixed(**fields: object) -> Callable[[Values], Effect]:
    return lambda values: Fixed(values, **fields)


KINDS: Final = (
    _kind("plate_open", "S01", "A plate channel's wire is broken: no value, fault bit open.", plate.PlateBroken, CHANNEL),
    _kind("plate_short", "S02", "A plate channel is shorted: no value, fault bit short.", plate.PlateShort, CHANNEL),
    _kind("plate_stuck", "S03", "A plate channel repeats one value exactly, noise and all.", plate.PlateStuck, CHANNEL),
    _kind("plate_offset", "S04 S16", "A plate channel shows this much more than there is.", plate.PlateOffset, CHANNEL, _OFFSET),
    _kind(
        "plate_common_offset", "S07", "Both plate channels show this much more than there is.", plate.PlateOffset,
        Parameter("offset_k", 5.0, -100.0, 100.0, "K"),
    ),
    _kind(
        "plate_drift", "S04", "A plate channel drifts away from the truth.", plate.PlateDrift, CHANNEL,
        Parameter("rate_k_s", 0.1, -10.0, 10.0, "K/s"), Parameter("limit_k", 20.0, 0.0, 100.0, "K"),
    ),
    _kind(
        "plate_spike", "S05", "One sample of a plate channel is far off.", plate.PlateOffset, CHANNEL,
        Parameter("offset_k", 20.0, -100.0, 100.0, "K"), count=1,
    ),
    _kind(
        "plate_swing", "S06", "A plate channel goes up and down faster than a plate can.", plate.PlateSwing, CHANNEL,
        Parameter("rate_k_s", 15.0, 0.1, 1000.0, "K/s"), Parameter("height_k", 8.0, 0.1, 100.0, "K"),
    ),
    _kind(
        "plate_no_number", "S08", "A plate channel gives what is no temperature: NaN, infinity, the wire's own sentinel.",
        plate.PlateNoNumber, CHANNEL, Parameter("value", "nan", choices=plate.NO_NUMBERS),
    ),
    _kind(
        "plate_off_plate", "S09", "A plate channel has come off the plate and goes to room temperature.",
        plate.PlateOff, _BOTH, Parameter("lag_s", 3.0, 0.05, 600.0, "s"),
    ),
    _kind(
        "plate_sluggish", "S09", "A plate channel hangs loose on the plate and lags behind it.", plate.PlateSluggish,
        _BOTH, Parameter("lag_s", 5.0, 0.05, 600.0, "s"),
    ),
    _kind(
        "plate_noise", "S05 S06", "A loose contact: noise on a plate channel on top of its own.", plate.PlateNoise,
        CHANNEL, Parameter("sigma_k", 0.5, 0.0, 50.0, "K"),
    ),
    _kind("plate_swapped", "S10", "The two plate channels are exchanged.", plate.PlateSwapped),
    _kind(
        "plate_sink_swapped", "S10", "A plate channel and the sink sensor are exchanged.", plate.PlateSinkSwapped,
        Parameter("channel", "a", choices=("a", "b")),
    ),
    _kind(
        "plate_scale", "S16", "A plate channel's scale is wrong by this factor; it is right at 25 °C only.",
        plate.PlateScale, CHANNEL, Parameter("factor", 0.9, 0.1, 10.0),
    ),
    _kind("plate_fahrenheit", "S16", "A plate channel gives degrees Fahrenheit.", plate.PlateFahrenheit, _BOTH),
    _kind(
        "plate_coarse", "S03 S16", "A plate channel gives whole steps only.", plate.PlateCoarse, _BOTH,
        Parameter("step_k", 1.0, 0.01, 20.0, "K"),
    ),
    _kind("sink_lost", "S11", "The sink sensor gives no value.", _fixed(sink_degc=None)),
    _kind("sink_offset", "S11 A05", "The sink sensor shows this much more than there is.", _on(Offset, "sink_degc"), _OFFSET),
    _kind("sink_stuck", "S11 S03", "The sink sensor repeats one value exactly.", _on(Stuck, "sink_degc")),
    _kind("ir_lost", "S08", "The skin infra-red gives no value.", _fixed(skin_ir_degc=None)),
    _kind("ir_offset", "S07", "The skin infra-red shows this much more than there is.", _on(Offset, "skin_ir_degc"), _OFFSET),
    _kind(
        "ir_stuck", "S03 S13", "The skin infra-red repeats one value exactly, also while the plate hides the skin.",
        _on(Stuck, "skin_ir_degc"),
    ),
    _kind("ambient_lost", "S16", "The chip in the air gives no value: temperature and humidity.",
          _fixed(ambient_degc=None, humidity_pct=None)),
    _kind("ambient_offset", "S16", "The ambient sensor shows this much more than there is.",
          _on(Offset, "ambient_degc"), Parameter("offset_k", 20.0, -100.0, 100.0, "K")),
    _kind("current_sensor_dead", "A01 F07", "The measured drive current is always 0.", _fixed(drive_ma=0)),
    _kind(
        "current_sensor_offset", "A01 A12", "The measured drive current is this much too high.", _on(Offset, "drive_ma"),
        Parameter("offset_ma", 500.0, -10_000.0, 10_000.0, "mA"),
    ),
    _kind("fan_tachometer_dead", "A04", "The tachometer shows 0 whatever the fan does.", _fixed(fan_rpm=0, fan_running=False)),
    _kind(
        "fan_tachometer_stuck", "A04 A06", "The tachometer shows a good speed whatever the fan does.",
        _fixed(fan_rpm=4200, fan_running=True),
    ),
)  # fmt: skip
