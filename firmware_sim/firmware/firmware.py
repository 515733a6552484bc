"""Firmware that is in order: the 20 ms safety task, the reception of orders, the outputs. No bytes, no physics.

Time comes from outside, in whole milliseconds: ``clock`` moves it, ``tick`` runs the safety task at its time, and
``receive`` judges an order at the time last given. Reading a status advances nothing; it only notes that a reply has
carried this tick, which is what lets the next order echo it.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final

from cryodevice.quantities import U16
from cryodevice.wire.codes import Capability, Fault, Mode, Refusal, State, Trip
from cryodevice.wire.registers import IDENTITY, pack
from firmware_sim.firmware.conditions import conditions_of
from firmware_sim.firmware.constants import SETPOINT_BAND_K, TICK_MS
from firmware_sim.firmware.cutouts import CoolingClock, Cutouts
from firmware_sim.firmware.fan import FanControl
from firmware_sim.firmware.identity import FirmwareConfig, identity_values
from firmware_sim.firmware.lease import Lease, TripView
from firmware_sim.firmware.measurements import Measurements
from firmware_sim.firmware.orders import ReceivedOrder, read_order
from firmware_sim.firmware.regulator import Regulator
from firmware_sim.firmware.relay_timer import RelayTimer
from firmware_sim.firmware.status_block import (
    TRIP_LATCHED,
    Live,
    Tick,
    Values,
    input_flags,
    state_of,
    status_values,
    tick_of,
    words_of,
)
from firmware_sim.plant import Plant, Samples

_DT_S: Final = TICK_MS / 1000.0


class BootCause(Enum):
    """Why the wand booted; the value is the fault bit it leaves standing until the next boot."""

    POWER_ON = 0
    WATCHDOG = int(Fault.WATCHDOG_RESET)
    BROWN_OUT = int(Fault.BROWNOUT_RESET)


class GoodFirmware:
    """One wand's firmware on one board. What it may do wrong is in ``misbehaving``, and overrules methods of this.

    Args:
        board: Sensors and actuators; any object of the plant's shape.
        config: What this wand is.
        next_boot_id: Gives the next value of the persisted boot counter; called at every boot.
        drive_switched: Called with the time in ms when the drive stage is switched on or off.

    Attributes:
        boot_id, boot_ms: Identity and time of the last boot.
        bad_frames: Bad frames counted by the endpoints since boot.
        scratch: The word without effect, for link tests; written by the endpoints.
        now_ms: Time last given.
        last_reply: The words of the last status replied.
        lease, cutouts, completed: State for the truth and for tests; written by the firmware only.
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
        self.now_ms = 0
        self.boot_id = 0
        self._power_up(BootCause.POWER_ON)

    @property
    def capabilities(self) -> int:
        """The bits it was made with."""
        return self._capabilities

    @property
    def uptime_ms(self) -> int:
        """Since the boot."""
        return self.now_ms - self.boot_ms

    def reboot(self, cause: BootCause = BootCause.POWER_ON) -> None:
        """Lose the memory, count the boot, outputs off. A boot by the watchdog stays tripped until a person resets."""
        self._power_up(cause)

    def _power_up(self, cause: BootCause) -> None:
        self._count_boot()
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
        self.last_reply: list[int] | None = None
        if cause is BootCause.WATCHDOG:
            self.cutouts.latch(Trip.WATCHDOG)
        self._board.fan_on = False
        self._write(0.0)

    def _count_boot(self) -> None:
        self.boot_id = self._next_boot_id()

    # --- time -------------------------------------------------------------------------------------------------------

    @property
    def restless(self) -> bool:
        """Whether outputs may change whenever the clock moves, and not at a tick or at ``wake_ms`` only."""
        return self._board.relay_closed and self.lease.deadline_ms is None

    def wake_ms(self) -> int | None:
        """The next time, other than a tick, at which something happens by itself: the lease runs out."""
        deadline = self.lease.deadline_ms
        return None if deadline is None else deadline + self.lease.overrun_ms

    def clock(self, now_ms: int) -> None:
        """Move the device clock; a lease that runs out ends here."""
        self.now_ms = now_ms
        self._expire()

    def tick(self, now_ms: int) -> None:
        """Run the safety task: sample, judge, count, regulate, drive. Called each 20 ms."""
        self.now_ms = now_ms
        readings = self._board.sample()
        self._timer.watch(now_ms, readings.drive_ma)
        self._run(readings)

    def _run(self, readings: Samples) -> None:
        now_ms = self.now_ms
        if self._timer.starved(now_ms):
            self.cutouts.latch(Trip.WATCHDOG)
            self._boot_fault |= BootCause.WATCHDOG.value
        self._timer.serve(now_ms)
        self._expire()
        self.measured.take(readings, now_ms)
        live = self.lease.live(now_ms)
        faults = self._judge(readings, live=live)
        self._write(self._regulate(live=live))
        self._board.fan_on = self._fan.step(now_ms, self.measured.sink_degc, lease_live=live)
        self._complete(faults, live=live)

    def _judge(self, readings: Samples, *, live: bool) -> int:
        """Latch what trips; returns the fault bits."""
        cooling = live and self.lease.mode is Mode.COOL and self.cutouts.trip is Trip.NONE
        on_skin = readings.contact or not self._capabilities & Capability.CONTACT
        longest = self._cooling.tick(cooling_on_skin=cooling and on_skin)
        faults = self._conditions(readings)
        self._cut(faults | longest)
        return faults

    def _conditions(self, readings: Samples) -> int:
        stopped = self._fan.stopped(self.now_ms, readings.fan_rpm)
        return self._boot_fault | conditions_of(self.measured, readings, self._timer, fan_stopped=stopped)

    def _cut(self, present: int) -> None:
        self.cutouts.judge(present, self.now_ms)

    def _regulate(self, *, live: bool) -> float:
        plate, setpoint = self.measured.plate(), self.lease.setpoint_degc
        if not live or self.cutouts.trip is not Trip.NONE or plate is None or setpoint is None:
            self._regulator.rest()
            return 0.0
        return self._hold(setpoint, plate)

    def _hold(self, setpoint_degc: float, plate_degc: tuple[float, float]) -> float:
        return self._regulator.step(self.lease.mode, setpoint_degc, plate_degc, self.measured.sink_degc, _DT_S)

    def _complete(self, faults: int, *, live: bool) -> None:
        self.sequence = (self.sequence + 1) % U16
        tripped = self.cutouts.trip is not Trip.NONE
        flags = input_flags(self.measured, self._capabilities, reached=live and not tripped and self._reached())
        self.completed = tick_of(
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

    def _write(self, drive_a: float) -> None:
        """The only way to the outputs: relay closed if and only if a lease is live and no trip is latched."""
        closed = (
            self.lease.live(self.now_ms) and self.cutouts.trip is Trip.NONE and not self._timer.starved(self.now_ms)
        )
        if not closed or self.lease.mode is Mode.OFF:
            drive_a = 0.0
        self.drive_command_a = drive_a
        self._drive(drive_a, closed=closed)

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
        return self._answer(order)

    def _answer(self, order: ReceivedOrder) -> Refusal:
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

    def status_values(self) -> Values:
        """The fields of the status as they would be replied now, by name."""
        live = Live(
            self.state,
            self.lease.live(self.now_ms),
            self._board.relay_closed,
            self.lease.remaining_ms(self.now_ms),
            self.completed.uptime_ms,
            self.bad_frames,
            self.boot_id,
        )
        return status_values(self.completed, self.measured, self.lease, live, self._capabilities)

    def status_words(self) -> list[int]:
        """The 32 registers as they would be replied now; nothing is noted."""
        return words_of(self.status_values())

    def reply_status(self, *, whole: bool = True) -> list[int]:
        """The 32 registers for a reply; if it holds the whole of them, its tick may be echoed from now on."""
        tick = self.completed
        if whole and tick.sampled_ms is not None:
            self.lease.echoes.carry(tick.sequence, tick.sampled_ms, tick.trip_ordinal)
        self.last_reply = self.status_words()
        return self.last_reply

    def identity_values(self) -> Values:
        """The fields of the identity block, by name."""
        return identity_values(self._config, self.boot_id)

    def identity_words(self) -> list[int]:
        """The 24 registers of the identity block."""
        return pack(IDENTITY, self.identity_values())
