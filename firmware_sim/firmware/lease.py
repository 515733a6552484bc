"""The echo lease: which orders are accepted, and until when one allows the drive. No outputs, no sensors, no clock.

The wand may drive only while a lease is live. The lease is counted from the moment the status that the order echoes
was *sampled*, not from the order's arrival, so that neither a repeated order nor a late one can stretch it. Times are
whole milliseconds of the device clock. A *stop* is accepted always; every other order passes the checks of ``_judge``
in the order written there, and the first that fails is the refusal.
"""

from collections import deque
from typing import NamedTuple

from cryodevice.quantities import U16, u16_newer
from cryodevice.wire.codes import REQUIRED_TO_COOL, Capability, Mode, Refusal
from firmware_sim.firmware.constants import (
    LEASE_MAX_MS,
    RESETS_MAX,
    RESETS_WINDOW_MS,
    SETPOINT_MAX_DEGC,
    SETPOINT_MIN_DEGC,
)
from firmware_sim.firmware.echo_ring import EchoRing
from firmware_sim.firmware.orders import ReceivedOrder


class TripView(NamedTuple):
    """What the lease must know of the cut-outs.

    Args:
        ordinal: Ordinal of the latched trip, 0 when none is latched.
        cause_present: Whether any condition that trips stands now.
    """

    ordinal: int
    cause_present: bool


def _allowed_modes(capabilities: Capability) -> frozenset[int]:
    modes = {int(Mode.OFF)}
    if capabilities & REQUIRED_TO_COOL == REQUIRED_TO_COOL:
        modes.add(int(Mode.COOL))
        if capabilities & Capability.WARM:
            modes.add(int(Mode.WARM))
    return frozenset(modes)


class Lease:
    """Lease, session token, order sequence and the counters around them. All of it is lost at a reboot.

    Attributes:
        mode: What the live lease is for; off when none is live.
        setpoint_degc: Setpoint in force, ``None`` unless a lease is live in cool or warm.
        deadline_ms: End of the lease, ``None`` when no lease stands.
        overrun_ms: Deliberate misbehaviour: how much later the lease really ends.
        from_arrival: Deliberate misbehaviour: the lease is counted from when the order came.
        clock_rate: Deliberate misbehaviour: how many times as fast the clock runs by which a lease is counted.
        setpoint_offset_k: Deliberate misbehaviour: added to the setpoint of an order, K.
        token: Session token in force, 0 none.
        order_sequence: Order sequence last accepted.
        epoch: Orders accepted from any master, modulo 65536.
        accepted: The same, not wrapped.
        last_deadline_ms, last_echo_sampled_ms: Of the last order accepted with a lease; kept after its end.
        last_words: The last order accepted.
    """

    def __init__(self, boot_id: int, capabilities: Capability) -> None:
        self._boot_id = boot_id
        self._modes = _allowed_modes(capabilities)
        self._resets_ms: deque[int] = deque(maxlen=RESETS_MAX)
        self.echoes = EchoRing()
        self.mode = Mode.OFF
        self.setpoint_degc: float | None = None
        self.deadline_ms: int | None = None
        self.overrun_ms = 0
        self.from_arrival = False
        self.clock_rate = 1.0
        self.setpoint_offset_k = 0.0
        self.token = 0
        self.order_sequence = 0
        self.epoch = 0
        self.accepted = 0
        self.last_refusal = Refusal.NONE
        self.refusals = 0
        self.last_deadline_ms: int | None = None
        self.last_echo_sampled_ms: int | None = None
        self.last_words: tuple[int, ...] | None = None
        self._last_key = 0

    def live(self, now_ms: int) -> bool:
        """Whether a lease stands that has not expired."""
        return self.deadline_ms is not None and now_ms < self.deadline_ms + self.overrun_ms

    def remaining_ms(self, now_ms: int) -> int:
        """max(0, deadline - now)."""
        return 0 if self.deadline_ms is None else max(0, self.deadline_ms - now_ms)

    def expire(self, now_ms: int) -> bool:
        """End a lease whose deadline has come. True when it ended in cool or warm, which is a trip."""
        if self.deadline_ms is None or self.live(now_ms):
            return False
        driving = self.mode is not Mode.OFF
        self._end()
        return driving

    def receive(self, order: ReceivedOrder, now_ms: int, trip: TripView) -> Refusal:
        """Judge an order and, if it is good, put it in force whole. ``Refusal.NONE`` means accepted or repeated.

        A refusal changes the refusal counters only. The caller runs ``expire`` first and clears the latched trip when
        ``order.is_reset`` was accepted and was no repeat.
        """
        if order.words == self.last_words:
            return Refusal.NONE
        if order.is_stop:
            self._stop(order, now_ms)
            return Refusal.NONE
        refusal = self._judge(order, now_ms, trip)
        if refusal is Refusal.NONE:
            self._accept(order, now_ms)
        else:
            self.refuse(refusal)
        return refusal

    def refuse(self, refusal: Refusal) -> None:
        """Count a refusal."""
        self.last_refusal = refusal
        self.refusals = (self.refusals + 1) % U16

    def ignore(self, order: ReceivedOrder) -> None:
        """Deliberate misbehaviour: count an order as accepted and put nothing of it in force."""
        self._count(order)
        self.order_sequence = order.sequence

    def _judge(self, order: ReceivedOrder, now_ms: int, trip: TripView) -> Refusal:
        echo = self.echoes.find(order.echo)
        drives = order.mode != Mode.OFF
        leaseless = order.lease_ms == 0 and not drives  # no stop, so it has a key; whether a good one is the last check
        checks = (
            (Refusal.BOOT_ID, order.boot_id == self._boot_id),
            (Refusal.TOKEN, order.token != 0 and order.token == self.token),
            (Refusal.SEQUENCE, u16_newer(order.sequence, self.order_sequence)),
            (Refusal.MODE, order.mode in self._modes),
            (Refusal.TRIP_LATCHED, trip.ordinal == 0 or leaseless),
            (Refusal.SETPOINT, not drives or SETPOINT_MIN_DEGC <= order.setpoint_degc <= SETPOINT_MAX_DEGC),
            (Refusal.LEASE_LENGTH, leaseless or 1 <= order.lease_ms <= LEASE_MAX_MS),
            (Refusal.ECHO, echo is not None and (leaseless or echo.sampled_ms + order.lease_ms > now_ms)),
            (
                Refusal.RESET,
                order.key == 0
                or (
                    order.is_reset
                    and self._last_key == 0
                    and echo is not None
                    and echo.trip_shown == trip.ordinal != 0
                    and not trip.cause_present
                    and not self._resets_used_up(now_ms)
                ),
            ),
        )
        return next((refusal for refusal, passed in checks if not passed), Refusal.NONE)

    def _resets_used_up(self, now_ms: int) -> bool:
        return len(self._resets_ms) == RESETS_MAX and now_ms - self._resets_ms[0] < RESETS_WINDOW_MS

    def _accept(self, order: ReceivedOrder, now_ms: int) -> None:
        self._count(order)
        self.order_sequence = order.sequence
        echo = self.echoes.find(order.echo)
        if order.is_reset or echo is None:
            self._end()
            self._resets_ms.append(now_ms)
            return
        self.mode = Mode(order.mode)
        self.setpoint_degc = None if self.mode is Mode.OFF else order.setpoint_degc + self.setpoint_offset_k
        since_ms = now_ms if self.from_arrival else echo.sampled_ms
        self.deadline_ms = self.last_deadline_ms = since_ms + round(order.lease_ms / self.clock_rate)
        self.last_echo_sampled_ms = echo.sampled_ms

    def _stop(self, order: ReceivedOrder, now_ms: int) -> None:
        was_live = self.live(now_ms)
        in_force = order.token != 0 and order.token == self.token
        self._end()
        self._count(order)
        if was_live and not in_force:
            self.token = 0
        elif order.token != 0:
            self.token = order.token
            self.order_sequence = order.sequence

    def _count(self, order: ReceivedOrder) -> None:
        self.last_words = order.words
        self._last_key = order.key
        self.accepted += 1
        self.epoch = (self.epoch + 1) % U16

    def _end(self) -> None:
        self.mode = Mode.OFF
        self.setpoint_degc = None
        self.deadline_ms = None
