"""The whole wand, driven by an argument: ``advance(dt_s)`` moves the plant and the firmware; nothing else does.

No real clock, no sockets. The plant moves in steps of 10 ms, the firmware ticks at exact multiples of 20 ms, a lease
that ends between two ticks ends at its own millisecond, and a fault begins and ends at its own nanosecond.
"""

import math
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from cryodevice.errors import QuantityError
from cryodevice.wire.codes import Capability, Fault
from firmware_sim.endpoints.faulty_line import FaultyLine
from firmware_sim.endpoints.slave import Slave
from firmware_sim.faults import FaultBench, LineFaults, Wand
from firmware_sim.firmware import PLATE_WAND, BootCause, Firmware, FirmwareConfig
from firmware_sim.firmware.boot_counter import BootCounter
from firmware_sim.firmware.constants import TICK_MS
from firmware_sim.plant import Individual, Plant
from firmware_sim.plant.applicator import AIR_COOLED, ApplicatorParameters

_NS_MS: Final = 1_000_000
_STEP_NS: Final = 10 * _NS_MS
_TICK_NS: Final = TICK_MS * _NS_MS
_STEP_S: Final = 0.01
_TICK_S: Final = TICK_MS / 1000.0
_CALIBRATED_AGO = timedelta(days=30)
WIRE_EPOCH = date(2000, 1, 1)
"""Day 0 of the wire's calibration date."""


def recent_calibration_day() -> int:
    """A calibration date that is in order: 30 days before today, as days since 2000-01-01."""
    return (datetime.now(tz=UTC).date() - _CALIBRATED_AGO - WIRE_EPOCH).days


class Simulator:
    """One wand: plant and firmware under one time.

    Args:
        seed: Of the sensors' noise and of the chance of faults.
        state_file: Where the boot counter persists; ``None`` keeps it in memory.
        serial_number: u32.
        capabilities: What the wand has.
        calibration_day: Days since 2000-01-01; ``None`` is 30 days before today.
        last_boot: The boot before the first, where no state file says better.
        ambient_degc: Room temperature at the start.
        plate_degc: Plate temperature at the start.
        individual: Whose skin is treated; the typical person's if not given.
        applicator: The wand's hardware: ``AIR_COOLED`` or ``LIQUID_COOLED`` of ``firmware_sim.plant.applicator``.

    Raises:
        StoreError: The state file cannot be used.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        state_file: Path | None = None,
        serial_number: int = 1,
        capabilities: Capability = PLATE_WAND,
        calibration_day: int | None = None,
        last_boot: int = 0,
        ambient_degc: float = 24.0,
        plate_degc: float = 24.0,
        individual: Individual | None = None,
        applicator: ApplicatorParameters = AIR_COOLED,
    ) -> None:
        day = recent_calibration_day() if calibration_day is None else calibration_day
        self._now_ns = 0
        self._step_ns = 0
        self._drive_on_ms: int | None = None
        self._drive_off_ms: int | None = None
        self.plant = Plant(
            seed, ambient_degc=ambient_degc, plate_degc=plate_degc, individual=individual, applicator=applicator
        )
        self.firmware = Firmware(
            self.plant,
            FirmwareConfig(serial_number, day, capabilities),
            BootCounter(state_file, last_boot).next,
            self._note_drive,
        )
        self.faults = FaultBench(
            Wand(self.plant, self.firmware, lambda cause: self.reboot(BootCause[cause.upper()]), lambda: self._now_ns),
            seed,
        )
        self._lines = Counter[str]()

    @property
    def time_s(self) -> float:
        """Simulated time since the start, s."""
        return self._now_ns / 1e9

    def advance(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass, 0 or more, rounded to the nanosecond.

        Raises:
            QuantityError: ``dt_s`` is negative or not finite.
        """
        if not 0.0 <= dt_s < math.inf:
            raise QuantityError(f"dt_s is {dt_s!r}; time moves forward by a finite number of seconds", value=dt_s)
        end_ns = self._now_ns + round(dt_s * 1e9)
        faults = self.faults
        while (boundary_ns := self._step_ns + _STEP_NS) <= end_ns:
            tick_ns = self._step_ns + _TICK_NS
            if tick_ns <= end_ns and tick_ns % _TICK_NS == 0 and self._uneventful(tick_ns):
                self.plant.advance(_TICK_S)
                self._now_ns = self._step_ns = tick_ns
                self.firmware.tick(tick_ns // _NS_MS)
                self._watch_drive(tick_ns // _NS_MS)
                continue
            if faults.due_ns < boundary_ns:
                self._turn_faults(boundary_ns - 1)
            self._run_clock(boundary_ns - 1)
            self.plant.advance(_STEP_S)
            self._now_ns = self._step_ns = boundary_ns
            if faults.due_ns <= boundary_ns:
                self._turn_faults(boundary_ns)
            if boundary_ns % _TICK_NS == 0:
                self.firmware.tick(boundary_ns // _NS_MS)
                self._watch_drive(boundary_ns // _NS_MS)
            else:
                self.firmware.clock(boundary_ns // _NS_MS)
        if faults.due_ns <= end_ns:
            self._turn_faults(end_ns)
        self._run_clock(end_ns)
        self._now_ns = end_ns

    def _uneventful(self, tick_ns: int) -> bool:
        """Whether nothing but the plant does anything before this tick: one stride then stands for two steps."""
        if self.faults.due_ns <= tick_ns or self.firmware.restless:
            return False
        wake_ms = self.firmware.wake_ms()
        return wake_ms is None or wake_ms * _NS_MS >= tick_ns

    def _turn_faults(self, until_ns: int) -> None:
        """Let every fault begin, act and end that is due by then, each at its own time."""
        while (due_ns := self.faults.due_ns) <= until_ns:
            self._run_clock(due_ns)
            self._now_ns = max(self._now_ns, due_ns)
            self.faults.turn(self._now_ns)

    def line(self, name: str, slave: Slave) -> Slave:
        """The slave behind a line of its own on which faults of the link act; to be served in its place.

        Args:
            name: Which kind of line: ``serial``, ``serial_tcp``, ``modbus_rtu``, ``modbus_tcp`` or ``memory``.
            slave: Answers what gets through.
        """
        faults = LineFaults(name, slave.protocol, self._lines[name])
        self._lines[name] += 1
        self.faults.join(faults)
        return FaultyLine(slave, faults, lambda: self.time_s, self.faults.leave)

    def _run_clock(self, until_ns: int) -> None:
        """Move the firmware's clock, stopping at whatever falls due on the way."""
        until_ms = until_ns // _NS_MS
        wake_ms = self.firmware.wake_ms()
        if wake_ms is not None and self.firmware.now_ms < wake_ms < until_ms:
            self.firmware.clock(wake_ms)
        if until_ms > self.firmware.now_ms:
            self.firmware.clock(until_ms)

    def reboot(self, cause: BootCause = BootCause.POWER_ON) -> None:
        """Boot the wand now; its ticks stay where they were."""
        self.firmware.reboot(cause)

    # --- truth ------------------------------------------------------------------------------------------------------

    def _note_drive(self, now_ms: int) -> None:
        """The drive stage was switched at ``now_ms``: note whether current really starts or stops there."""
        self._note_current(now_ms, flows=self.plant.current_a != 0.0)

    def _watch_drive(self, now_ms: int) -> None:
        """Current that starts or stops without being told, as a welded relay or a stuck drive does, shows at a tick."""
        readings = self.firmware.measured.readings
        told = self.plant.relay_closed and self.plant.drive_a != 0.0
        seen = readings is not None and readings.drive_ma != 0
        if seen != told or seen != (self._drive_on_ms is not None):
            self._note_current(now_ms, flows=self.plant.current_a != 0.0)

    def _note_current(self, now_ms: int, *, flows: bool) -> None:
        if flows and self._drive_on_ms is None:
            self._drive_on_ms = now_ms
        elif not flows and self._drive_on_ms is not None:
            self._drive_on_ms = None
            self._drive_off_ms = now_ms

    @property
    def drive_times(self) -> tuple[float | None, float | None]:
        """Since when drive current flows, and when it last went to zero, s; ``truth`` has the same."""
        return _seconds(self._drive_on_ms), _seconds(self._drive_off_ms)

    def truth(self) -> dict[str, object]:
        """What really is, ready for JSON. Looking changes nothing. All times ``*_s`` are simulated time (``time_s``).

        ``drive_off_at_s`` is when the actual drive current last went to zero and ``drive_on_since_s`` since when it
        flows; each is null when it never did, or does not. ``last_echo_sample_s`` and ``deadline_s`` belong to the
        last order accepted with a lease, and stay after that lease's end until a reboot.
        """
        plant, firmware, lease = self.plant, self.firmware, self.firmware.lease
        real = plant.truth()
        return {
            "time_s": self.time_s,
            "uptime_ms": firmware.now_ms - firmware.boot_ms,
            "boot_id": firmware.boot_id,
            "sequence": firmware.sequence,
            "state": firmware.state.name.lower(),
            "trip": firmware.cutouts.trip.name.lower(),
            "trip_code": int(firmware.cutouts.trip),
            "faults": [bit.name for bit in Fault(firmware.completed.faults)],
            "plate_degc": real.plate_degc,
            "sink_degc": real.sink_degc,
            "skin_surface_degc": real.skin_surface_degc,
            "skin_1mm_degc": real.skin_1mm_degc,
            "lowest_skin_degc": real.lowest_skin_degc,
            "liquid_degc": real.liquid_degc,
            "flux_w_m2": real.flux_w_m2,
            "dew_point_degc": real.dew_point_degc,
            "dew_g_m2": real.dew_g_m2,
            "frost_g_m2": real.frost_g_m2,
            "ambient_degc": real.ambient_degc,
            "drive_a": real.drive_a,
            "drive_w": real.drive_w,
            "drive_command_a": firmware.drive_command_a,
            "drive_on_since_s": _seconds(self._drive_on_ms),
            "drive_off_at_s": _seconds(self._drive_off_ms),
            "relay_closed": plant.relay_closed,
            "fan_on": plant.fan_on,
            "fan_rpm": real.fan_rpm,
            "mode": lease.mode.name.lower(),
            "setpoint_degc": lease.setpoint_degc,
            "lease_live": lease.live(firmware.now_ms),
            "lease_remaining_ms": lease.remaining_ms(firmware.now_ms),
            "deadline_s": _seconds(lease.last_deadline_ms),
            "last_echo_sample_s": _seconds(lease.last_echo_sampled_ms),
            "token": lease.token,
            "order_epoch": lease.epoch,
            "orders_accepted": lease.accepted,
            "refusals": lease.refusals,
            "last_refusal": lease.last_refusal.name.lower(),
            "bad_frames": firmware.bad_frames,
            "cooling_s": firmware.completed.cooling_s,
            "zone": real.zone,
            "contact": real.contact,
            "conductance_w_m2k": real.conductance_w_m2k,
            "contact_s": dict(real.contact_s),
            "zones": {name: zone._asdict() for name, zone in plant.zones().items()},
            "trigger": plant.trigger,
            "estop": plant.estop,
            "tip": plant.tip,
            "motion": plant.motion,
            "faults_active": self.faults.active(),
            "simulated": True,
        }


def _seconds(time_ms: int | None) -> float | None:
    return None if time_ms is None else time_ms / 1000.0
