"""The wand's firmware: the 20 ms safety task, the reception of orders, the outputs. No bytes, no physics, no host time.

Time comes from outside, in whole milliseconds: ``clock`` moves it, ``tick`` runs the safety task at its time, and
``receive`` judges an order at the time last given. Reading a status advances nothing; it only notes that a reply has
carried this tick, which is what lets the next order echo it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final

from cryodevice.quantities import U16
from cryodevice.wire.codes import Capability, Fault, Mode, Refusal, State, Trip
from firmware_sim.firmware.constants import SETPOINT_BAND_K, TICK_MS
from firmware_sim.firmware.cutouts import CoolingClock, Cutouts, current_conditions, plate_conditions, sink_conditions
from firmware_sim.firmware.fan import FanControl
from firmware_sim.firmware.identity import FirmwareConfig, identity_words
from firmware_sim.firmware.lease import Lease, TripView
from firmware_sim.firmware.measurements import Measurements
from firmware_sim.firmware.orders import read_order
from firmware_sim.firmware.quirks import Quirks
from firmware_sim.firmware.regulator import Regulator
from firmware_sim.firmware.relay_timer import RelayTimer
from firmware_sim.firmware.status_block import TRIP_LATCHED, Live, Tick, input_flags, state_of, status_words
from firmware_sim.plant import Plant, Samples

_DT_S: Final = TICK_MS / 1000.0
_ESTOP, _TIP, _FAN = int(Fault.ESTOP), int(Fault.TIP_MISSING), int(Fault.FAN_STOPPED)
_UNCOMMANDED, _DISOBEYS = int(Fault.DRIVE_UNCOMMANDED), int(Fault.RELAY_DISOBEYS)
_SKIN, _AMBIENT = int(Fault.SKIN_SENSOR), int(Fault.AMBIENT_SENSOR)
_SUPPLY, _CALIBRATION = int(Fault.SUPPLY), int(Fault.CALIBRATION)


class BootCause(Enum):
    """Why the wand booted; the value is the fault bit it leaves standing until the next boot."""

    POWER_ON = 0
    WATCHDOG = int(Fault.WATCHDOG_RESET)
    BROWN_OUT = int(Fault.BROWNOUT_RESET)


class Firmware:
    """One wand's firmware on one board.

    Args:
        board: Sensors and actuators; any object of the plant's shape.
        config: What this wand is.
        next_boot_id: Gives the next value of the persisted boot counter; called at every boot.
        drive_switched: Called with the time in ms when the drive stage is switched on or off.

    Attributes:
        quirks: Deliberate misbehaviours; they survive a reboot.
        acted: How often each of them has made a difference, by its name.
        boot_id, boot_ms: Identity and time of the last boot.
        bad_frames: Bad frames counted by the endpoints since boot.
        scratch: The word without effect, for link tests; written by the endpoints.
        now_ms: Time last given.
        lease, cutouts, completed: State for the truth and for tests; written by this class only.
    """

    def __init__(
        self,
        board: Plant,
        config: FirmwareConfig,
        next_boot_id: Callable[[], int],
        drive_switched: Callable[[int], None] | None = None,
    ) -> None:
        self._board = board
        self._config = config
        self._capabilities = int(config.capabilities)
        self._next_boot_id = next_boot_id
        self._drive_switched = drive_switched
        self.quirks = Quirks()
        self.acted: Counter[str] = Counter()
        self.now_ms = 0
        self._power_up(BootCause.POWER_ON)

    def reboot(self, cause: BootCause = BootCause.POWER_ON) -> None:
        """Lose the memory, count the boot, outputs off. A boot by the watchdog stays tripped until a person resets."""
        self._power_up(cause)

    def _power_up(self, cause: BootCause) -> None:
        self.boot_id = self._next_boot_id()
        self.boot_ms = self.now_ms
        self._boot_fault = cause.value
        self.lease = Lease(self.boot_id, self._config.capabilities)
        self.cutouts = Cutouts()
        self.measured = Measurements()
        self.completed = Tick()
        self.bad_frames = 0
        self.scratch = 0
        self.sequence = 0
        self.drive_command_a = 0.0
        self._cooling = CoolingClock()
        self._regulator = Regulator()
        self._timer = RelayTimer(self.now_ms)
        self._fan = FanControl()
        self._last_reply: list[int] | None = None
        if cause is BootCause.WATCHDOG:
            self.cutouts.latch(Trip.WATCHDOG)
        self._board.fan_on = False
        self._write(0.0)

    # --- time -------------------------------------------------------------------------------------------------------

    @property
    def restless(self) -> bool:
        """Whether outputs may change whenever the clock moves: the safety task hangs, or the relay outlives a lease."""
        return self.quirks.hang_safety_task or (self._board.relay_closed and self.lease.deadline_ms is None)

    def wake_ms(self) -> int | None:
        """The next time, other than a tick, at which something happens by itself: lease or relay timer runs out."""
        if self.quirks.hang_safety_task:
            return self._timer.starves_at_ms() if self._board.relay_closed else None
        deadline = self.lease.deadline_ms
        return None if deadline is None else deadline + self.lease.overrun_ms

    def clock(self, now_ms: int) -> None:
        """Move the device clock; a lease or the relay timer that runs out acts here."""
        self.now_ms = now_ms
        self.lease.overrun_ms = self.quirks.lease_overrun_ms
        if self.quirks.hang_safety_task:
            self._timer_alone()
        else:
            self._expire()

    def tick(self, now_ms: int) -> None:
        """Run the safety task: sample, judge, count, regulate, drive. Called each 20 ms."""
        self.now_ms = now_ms
        readings = self._board.sample()
        self._timer.watch(now_ms, readings.drive_ma)
        if self.quirks.hang_safety_task:
            self.acted["hang_safety_task"] += 1
            self._timer_alone()
            return
        if self._timer.starved(now_ms):
            self.cutouts.latch(Trip.WATCHDOG)
            self._boot_fault |= BootCause.WATCHDOG.value
        self._timer.serve(now_ms)
        self.lease.overrun_ms = self.quirks.lease_overrun_ms
        self._expire()
        self.measured.take(readings, now_ms)
        live = self.lease.live(now_ms)
        if live and not self.lease.remaining_ms(now_ms):
            self.acted["lease_overrun_ms"] += 1
        faults = self._judge(readings, live=live)
        self._write(self._regulate(live=live))
        self._board.fan_on = self._fan.step(now_ms, self.measured.sink_degc, lease_live=live)
        self._complete(faults, live=live)

    def _judge(self, readings: Samples, *, live: bool) -> int:
        """Latch what trips; returns the fault bits."""
        measured = self.measured
        cooling = live and self.lease.mode is Mode.COOL and self.cutouts.trip is Trip.NONE
        on_skin = readings.contact or not self._capabilities & Capability.CONTACT
        longest = self._cooling.tick(cooling_on_skin=cooling and on_skin)
        faults = (
            measured.sensor_faults
            | plate_conditions(measured.plate_a_degc, measured.plate_b_degc)
            | sink_conditions(measured.sink_degc)
            | current_conditions(readings.drive_ma)
            | self._boot_fault
        )
        if readings.estop:
            faults |= _ESTOP
        if not readings.tip:
            faults |= _TIP
        if self._timer.disobeyed:
            faults |= _DISOBEYS
        if self._timer.persists:
            faults |= _UNCOMMANDED
        if measured.skin_ir_degc is None and not readings.contact:  # under contact the window sees nothing
            faults |= _SKIN
        if measured.ambient_degc is None:
            faults |= _AMBIENT
        if self._fan.stopped(self.now_ms, readings.fan_rpm):
            faults |= _FAN
        if self.quirks.supply_out_of_range:
            faults |= _SUPPLY
        if self.quirks.calibration_invalid:
            faults |= _CALIBRATION
        self.cutouts.judge(0 if self.quirks.cutouts_off else faults | longest, self.now_ms)
        return faults

    def _regulate(self, *, live: bool) -> float:
        plate, setpoint = self.measured.plate(), self.lease.setpoint_degc
        if not live or self.cutouts.trip is not Trip.NONE or plate is None or setpoint is None:
            self._regulator.rest()
            return 0.0
        return self._regulator.step(self.lease.mode, setpoint, plate, self.measured.sink_degc, _DT_S)

    def _complete(self, faults: int, *, live: bool) -> None:
        self.sequence = (self.sequence + 1) % U16
        tripped = self.cutouts.trip is not Trip.NONE
        flags = input_flags(self.measured, self._capabilities, reached=live and not tripped and self._reached())
        self.completed = Tick(
            self.sequence,
            self.now_ms,
            self.now_ms - self.boot_ms,
            flags | TRIP_LATCHED if tripped else flags,
            faults,
            self.cutouts.trip,
            self.cutouts.ordinal if tripped else 0,
            self._cooling.total_s,
        )

    def _reached(self) -> bool:
        plate, setpoint = self.measured.plate(), self.lease.setpoint_degc
        if plate is None or setpoint is None:
            return False
        return setpoint - SETPOINT_BAND_K <= plate[0] and plate[1] <= setpoint + SETPOINT_BAND_K

    # --- outputs ----------------------------------------------------------------------------------------------------

    def _expire(self) -> None:
        if self.lease.expire(self.now_ms):
            self.cutouts.latch(Trip.LEASE_EXPIRED)
        elif self.lease.deadline_ms is not None:
            return
        if self._board.relay_closed:
            self._write(0.0)

    def _timer_alone(self) -> None:
        """The safety task hangs: outputs stay as they are but for what the independent circuit does."""
        if self._board.relay_closed and (self._timer.starved(self.now_ms) or self._timer.persists):
            self._drive(self._board.drive_a, closed=False)

    def _write(self, drive_a: float) -> None:
        """The only way to the outputs: relay closed if and only if a lease is live and no trip is latched."""
        closed = (
            self.lease.live(self.now_ms) and self.cutouts.trip is Trip.NONE and not self._timer.starved(self.now_ms)
        )
        if not closed or self.lease.mode is Mode.OFF:
            drive_a = 0.0
        self.drive_command_a = drive_a
        ignored = drive_a == 0.0 and self.quirks.drive_ignores_off
        self._drive(self._board.drive_a if ignored else drive_a, closed=closed)

    def _drive(self, drive_a: float, *, closed: bool) -> None:
        board = self._board
        was_on = board.relay_closed and board.drive_a != 0.0
        board.drive_a = drive_a
        board.relay_closed = closed
        self._timer.follow(self.now_ms, drive_on=self.drive_command_a != 0.0, relay_closed=closed)
        if self._drive_switched is not None and was_on != (closed and drive_a != 0.0):
            self._drive_switched(self.now_ms)

    # --- orders and replies -----------------------------------------------------------------------------------------

    def receive(self, words: Sequence[int]) -> Refusal:
        """Judge the 8 registers of an order now and apply it whole or not at all. ``Refusal.NONE``: accepted.

        Raises:
            WireError: Not 8 registers; nothing was applied.
        """
        order = read_order(words)
        self._expire()
        mode, accepted = self.lease.mode, self.lease.accepted
        refusal = self.lease.receive(order, self.now_ms, self._trip_view())
        if self.lease.accepted != accepted:
            if order.is_reset:
                self.cutouts.clear()
            self._write(self.drive_command_a if self.lease.mode is mode else 0.0)
        return refusal

    def _trip_view(self) -> TripView:
        latched = self.cutouts.trip is not Trip.NONE
        return TripView(self.cutouts.ordinal if latched else 0, self.cutouts.cause_present)

    @property
    def state(self) -> State:
        """State now, between ticks too."""
        return state_of(self.cutouts.trip, self.lease.mode, lease_live=self.lease.live(self.now_ms))

    def status_words(self) -> list[int]:
        """The 32 registers as they would be replied now; nothing is noted."""
        live = Live(
            self.state,
            self.lease.live(self.now_ms),
            self._board.relay_closed,
            self.lease.remaining_ms(self.now_ms) + self.quirks.lease_report_offset_ms,
            round(self.completed.uptime_ms * self.quirks.uptime_rate),
            self.bad_frames,
            self.boot_id,
        )
        return status_words(self.completed, self.measured, self.lease, live, self._capabilities)

    def reply_status(self, *, whole: bool = True) -> list[int]:
        """The 32 registers for a reply; if it holds the whole of them, its tick may be echoed from now on."""
        if self.quirks.status_frozen and self._last_reply is not None:
            return self._last_reply
        tick = self.completed
        if whole and tick.sampled_ms is not None:
            self.lease.echoes.carry(tick.sequence, tick.sampled_ms, tick.trip_ordinal)
        self._last_reply = self.status_words()
        return self._last_reply

    def identity_words(self) -> list[int]:
        """The 24 registers of the identity block."""
        return identity_words(self._config, self.boot_id, self.quirks)
