"""Firmware that does wrong what its quirks say, and else what good firmware does. With no quirk set they are the same.

Each quirk that makes a difference is counted under its name.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from cryodevice.wire.codes import Fault, Mode, Refusal, Trip
from firmware_sim.firmware.constants import DRIVE_MAX_A
from firmware_sim.firmware.cutouts import TRIPPING
from firmware_sim.firmware.firmware import BootCause, GoodFirmware
from firmware_sim.firmware.identity import FirmwareConfig
from firmware_sim.firmware.lies import tell, tell_identity
from firmware_sim.firmware.orders import ReceivedOrder
from firmware_sim.firmware.quirks import Quirks
from firmware_sim.firmware.status_block import Values
from firmware_sim.plant import Plant, Samples

_MADE_UP: Final = {"supply_out_of_range": int(Fault.SUPPLY), "calibration_invalid": int(Fault.CALIBRATION)}
_SLOWEST: Final = 0.01
_STANDSTILLS: Final = ("hang_safety_task", "hung", "unpowered")


class Firmware(GoodFirmware):
    """One wand's firmware, good or bad.

    While any quirk is set the object is a ``_BadFirmware``, so that a wand that behaves pays nothing for those that
    do not.

    Attributes:
        quirks: Deliberate misbehaviours; they survive a reboot.
        acted: How often each of them has made a difference, by its name.
    """

    def __init__(
        self,
        board: Plant,
        config: FirmwareConfig,
        next_boot_id: Callable[[], int],
        drive_switched: Callable[[int], None] | None = None,
    ) -> None:
        self.quirks = Quirks()
        self.acted: Counter[str] = Counter()
        super().__init__(board, config, next_boot_id, drive_switched)
        self.quirks.changed = self._change

    @property
    def deaf(self) -> bool:
        """Whether nobody is there who could hear a request."""
        quirks = self.quirks
        return quirks.drop_requests or quirks.hung or quirks.unpowered

    def _change(self) -> None:
        self.__class__ = Firmware if self.quirks.quiet else _BadFirmware
        self._set_lease()

    def _set_lease(self) -> None:
        self.lease.overrun_ms = self.quirks.lease_overrun_ms
        self.lease.from_arrival = self.quirks.lease_from_arrival
        self.lease.setpoint_offset_k = self.quirks.setpoint_offset_k
        self.lease.clock_rate = max(self.quirks.clock_rate, _SLOWEST)


class _BadFirmware(Firmware):
    """The same with its quirks in force."""

    @property
    def restless(self) -> bool:
        """What it does when, nobody knows."""
        return True

    def _power_up(self, cause: BootCause) -> None:
        super()._power_up(cause)
        self._set_lease()

    def _count_boot(self) -> None:
        if self.quirks.boot_id_reused:
            self.acted["boot_id_reused"] += 1
        else:
            super()._count_boot()

    # --- the safety task --------------------------------------------------------------------------------------------

    def wake_ms(self) -> int | None:
        """As good firmware; while it hangs, when the relay timer runs out."""
        if self._hangs():
            return self._timer.starves_at_ms() if self._board.relay_closed else None
        return super().wake_ms()

    def clock(self, now_ms: int) -> None:
        """As good firmware; while it hangs, only the relay timer acts."""
        if self._hangs():
            self.now_ms = now_ms
            self._timer_alone()
        else:
            super().clock(now_ms)

    def _run(self, readings: Samples) -> None:
        if self._hangs():
            self._stand_still()
            return
        quirks = self.quirks
        if (quirks.adc_frozen or quirks.sampling_stopped) and self.measured.readings is not None:
            readings = self.measured.readings
            if not quirks.adc_frozen:
                self.acted["sampling_stopped"] += 1
        super()._run(readings)
        if self.lease.live(self.now_ms) and not self.lease.remaining_ms(self.now_ms):
            self.acted["lease_overrun_ms"] += 1
        if quirks.fan_never_on and self._board.fan_on:
            self.acted["fan_never_on"] += 1
            self._board.fan_on = False

    def _hangs(self) -> bool:
        quirks = self.quirks
        return quirks.hang_safety_task or quirks.hung or quirks.unpowered

    def _stand_still(self) -> None:
        for name in _STANDSTILLS:
            self.acted[name] += getattr(self.quirks, name)
        if self.quirks.unpowered:
            self._board.fan_on = False
            self.drive_command_a = 0.0
            self._drive(0.0, closed=False)
        else:
            self._timer_alone()

    def _timer_alone(self) -> None:
        """Outputs stay as they are but for what the independent circuit does."""
        if self._board.relay_closed and (self._timer.starved(self.now_ms) or self._timer.persists):
            if self.quirks.relay_timer_dead:
                self.acted["relay_timer_dead"] += 1
            else:
                self._drive(self._board.drive_a, closed=False)

    def _conditions(self, readings: Samples) -> int:
        present = super()._conditions(readings)
        for name, bit in _MADE_UP.items():
            if getattr(self.quirks, name):
                self.acted[name] += 1
                present |= bit
        return present

    def _cut(self, present: int) -> None:
        if self.quirks.cutouts_off:
            self.acted["cutouts_off"] += bool(present & TRIPPING)
            present = 0
        super()._cut(present)
        if self.quirks.trip_unlatched and self.cutouts.trip is not Trip.NONE and not self.cutouts.cause_present:
            self.acted["trip_unlatched"] += 1
            self.cutouts.clear()

    def _hold(self, setpoint_degc: float, plate_degc: tuple[float, float]) -> float:
        if self.quirks.full_drive and self.lease.mode is Mode.COOL:
            self.acted["full_drive"] += 1
            return DRIVE_MAX_A
        if self.quirks.regulate_offset_k:
            self.acted["regulate_offset_k"] += 1
        return super()._hold(setpoint_degc + self.quirks.regulate_offset_k, plate_degc)

    def _complete(self, faults: int, *, live: bool) -> None:
        if self.quirks.adc_frozen:
            self.acted["adc_frozen"] += 1
        else:
            super()._complete(faults, live=live)

    def _drive(self, drive_a: float, *, closed: bool) -> None:
        if self.quirks.drive_ignores_off and drive_a == 0.0 != self._board.drive_a and not self.quirks.unpowered:
            self.acted["drive_ignores_off"] += 1
            drive_a = self._board.drive_a
        super()._drive(drive_a, closed=closed)

    # --- orders and replies -----------------------------------------------------------------------------------------

    def _answer(self, order: ReceivedOrder) -> Refusal:
        quirks, acted = self.quirks, self.acted
        if quirks.hung or quirks.unpowered:  # nobody is there who could judge it
            return Refusal.NONE
        if order.is_stop and quirks.ignores_stop:
            acted["ignores_stop"] += 1
            self.lease.ignore(order)
            return Refusal.NONE
        if not order.is_stop and quirks.refuse_orders is not None:
            acted["refuse_orders"] += 1
            self.lease.refuse(Refusal(quirks.refuse_orders))
            return Refusal(quirks.refuse_orders)
        if not order.is_stop and quirks.orders_unapplied:
            acted["orders_unapplied"] += 1
            return Refusal.NONE
        before = self.lease.accepted
        refusal = super()._answer(order)
        if self.lease.accepted != before and self.lease.deadline_ms is not None:
            acted["lease_from_arrival"] += self.lease.from_arrival
            acted["setpoint_offset_k"] += bool(self.lease.setpoint_offset_k) and self.lease.mode is not Mode.OFF
        return refusal

    def status_values(self) -> Values:
        """As good firmware, with the lies in place."""
        values = super().status_values()
        tell(values, self.quirks, self.acted)
        return values

    def reply_status(self, *, whole: bool = True) -> list[int]:
        """As good firmware, or the last reply once more."""
        if self.quirks.status_frozen and self.last_reply is not None:
            self.acted["status_frozen"] += 1
            return self.last_reply
        return super().reply_status(whole=whole)

    def identity_values(self) -> Values:
        """As good firmware, with the lies in place."""
        values = super().identity_values()
        tell_identity(values, self.quirks, self.acted)
        return values
