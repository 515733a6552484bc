"""What may go wrong in the hardware: one slot a fault, all off. Holds values only; the parts of the plant obey them."""

from dataclasses import dataclass

from firmware_sim.plant.watched import Watched


@dataclass(slots=True)
class Disturbances(Watched):
    """Faults in force now. Written by tests and the control, read by the plant in every sub-step and sample.

    Attributes:
        plate_a_offset_k, plate_b_offset_k: Added to what the plate sensor shows, K.
        plate_a_open, plate_b_open: Broken wire: no temperature, fault ``open``. Wins over short.
        plate_a_short, plate_b_short: Short circuit: no temperature, fault ``short``.
        plate_a_frozen: Channel A repeats its last sample exactly, noise and all.
        skin_ir_offset_k, sink_offset_k: Added to what the sensor shows, K.
        skin_ir_lost, sink_lost: The sensor gives no value.
        contact_dead: The contact sensor says *no contact* whatever the plate lies on.
        fan_stalled: The rotor is held; it runs down whatever is commanded.
        drive_stuck_a: The bridge delivers this current, amperes, + cools, whatever is commanded; it still needs the
            relay. None: the bridge obeys.
        drive_loss: Share of the commanded current that the bridge does not deliver; below 0 it delivers more.
        relay_welded: The relay conducts even when it is told to open.
        relay_dead: The relay does not conduct even when it is told to close; welded wins.
        drive_reversed: The thermoelectric is wired the wrong way round: the bridge measures the current it was asked
            for, the plate warms.
        plate_heat_w, sink_heat_w: Heat put into the plate or sink from outside, W.
        heater_w: Heat put into the plate by a heater of the wand, which hangs on the relay as the drive does, W.
        fan_loss: Share of its speed that the fan no longer reaches.
        sink_loss: Share of its conductance to the air that the sink has lost.
        supply_v: Supply voltage; None: what it should be.
    """

    plate_a_offset_k: float = 0.0
    plate_b_offset_k: float = 0.0
    plate_a_open: bool = False
    plate_a_short: bool = False
    plate_b_open: bool = False
    plate_b_short: bool = False
    plate_a_frozen: bool = False
    skin_ir_offset_k: float = 0.0
    skin_ir_lost: bool = False
    sink_offset_k: float = 0.0
    sink_lost: bool = False
    contact_dead: bool = False
    fan_stalled: bool = False
    drive_stuck_a: float | None = None
    drive_loss: float = 0.0
    relay_welded: bool = False
    relay_dead: bool = False
    drive_reversed: bool = False
    plate_heat_w: float = 0.0
    sink_heat_w: float = 0.0
    heater_w: float = 0.0
    fan_loss: float = 0.0
    sink_loss: float = 0.0
    supply_v: float | None = None
