"""The built-in host: claims the wand, renews the lease, lets go. It keeps the rules of docs/wire.md and guards nothing.

It has no interlock, so what it lets happen is what the wand's own firmware lets happen.
"""

from typing import Final

from cryodevice.errors import WireError
from cryodevice.quantities import U16, Celsius, Milliseconds
from cryodevice.wire.blocks import Order, Status, pack_order, unpack_identity, unpack_status
from cryodevice.wire.codes import Flag, Mode
from cryodevice.wire.frame import DELIMITER, REPLY_BIT, Frame, FrameReader, FrameType, encode_frame
from cryodevice.wire.registers import IDENTITY_COUNT, RESET_KEY, STATUS_COUNT
from firmware_sim.scenarios.model import HostPlan
from firmware_sim.scenarios.world import World

_ROUNDING_S: Final = 1e-9
TIMEOUT_S: Final = 0.025
"""Longest wait for a reply: half the period of a 20 Hz host (engineering default)."""


class LeaseHost:
    """One host on the line of a world.

    Args:
        plan: How it cools.
        token: Its session token, 1...65535.

    Attributes:
        exchanges, misses: Good replies, and requests without one.
    """

    def __init__(self, plan: HostPlan, token: int) -> None:
        self._plan = plan
        self._token = token
        self._reader = FrameReader()
        self._frame_number = 0
        self._order_number = 0
        self._boot_id: int | None = None
        self._claimed = False
        self._status: Status | None = None
        self._wants_cold = False
        self._reset_due = False
        self._silent = False
        self.exchanges = 0
        self.misses = 0

    def told(self, order: str) -> None:
        """A person's word: cool, stop, reset, silent, talk."""
        if order in {"cool", "stop"}:
            self._wants_cold = order == "cool"
        elif order == "reset":
            self._reset_due = True
        else:
            self._silent = order == "silent"

    def tick(self, world: World) -> None:
        """One round trip of whatever comes next."""
        if self._silent:
            return
        if self._boot_id is None:
            self._identify(world)
            return
        if not self._claimed and (self._status is None or self._status.lease_remaining_ms > 0):
            self._read(world)
            return
        order = self._next_order(self._status, self._boot_id)
        frame = self._ask(world, FrameType.EXCHANGE, b"".join(word.to_bytes(2, "big") for word in pack_order(order)))
        if frame is not None and frame.type == FrameType.ERROR:
            self._read(world)
        elif frame is not None:
            self._take(frame)
            self._reset_due = self._reset_due and not order.reset_key
            if order.is_stop and self._status is not None and self._status.token == self._token:
                self._claimed = True

    def _next_order(self, status: Status | None, boot_id: int) -> Order:
        self._order_number = (self._order_number + 1) % U16
        echo = 0 if status is None else status.sequence
        mode, setpoint, lease, key = Mode.OFF, 0.0, 0, 0
        tripped = status is not None and Flag.TRIP_LATCHED in status.flags
        if self._claimed and tripped and self._reset_due:
            key = RESET_KEY
        elif self._claimed and not tripped and self._wants_cold and self._held(status):
            mode, setpoint, lease = Mode.COOL, self._plan.setpoint_degc, self._plan.lease_ms
        return Order(
            self._order_number, mode, Celsius(setpoint), Milliseconds(lease), echo, boot_id, self._token, reset_key=key
        )

    def _held(self, status: Status | None) -> bool:
        return not self._plan.hold_to_run or (status is not None and Flag.TRIGGER in status.flags)

    def _identify(self, world: World) -> None:
        frame = self._ask(world, FrameType.IDENTIFY)
        if frame is not None and len(frame.payload) == 2 * IDENTITY_COUNT:
            self._boot_id = unpack_identity(_words(frame)).boot_id
            self._claimed, self._status = False, None

    def _read(self, world: World) -> None:
        frame = self._ask(world, FrameType.READ_STATUS)
        if frame is not None:
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        if len(frame.payload) != 2 * STATUS_COUNT:
            return
        self._status = unpack_status(_words(frame))
        if self._status.boot_id != self._boot_id:
            self._boot_id = None  # another boot: it knows neither our token nor what it may be told

    def _ask(self, world: World, kind: FrameType, payload: bytes = b"") -> Frame | None:
        """The reply to one request, error replies included; ``None`` if none came in time."""
        self._frame_number = (self._frame_number + 1) & 0xFF
        self._reader.feed(world.heard() + DELIMITER)
        world.send(DELIMITER + encode_frame(Frame(kind, self._frame_number, payload)))
        end_s = world.now_s + TIMEOUT_S
        while True:
            for frame in self._reader.feed(world.heard()):
                if frame.sequence == self._frame_number and frame.type in {kind | REPLY_BIT, FrameType.ERROR}:
                    self.exchanges += 1
                    return frame
            if world.now_s >= end_s - _ROUNDING_S:
                self.misses += 1
                return None
            world.pass_until(end_s, or_heard=True)


def _words(frame: Frame) -> list[int]:
    if len(frame.payload) % 2:
        raise WireError("an odd number of bytes", payload=frame.payload.hex())
    return [int.from_bytes(frame.payload[at : at + 2], "big") for at in range(0, len(frame.payload), 2)]
