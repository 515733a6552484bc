"""The wand under test as the clauses see it: a session with a token of the kit's own, orders, waits, and the last stop.

Keeps account of the orders it sent, so that another master's show in the epoch. It never renews a lease by itself, and
orders a drive only through ``cool``, which a clause may call only where the user has allowed it.
"""

import random
from contextlib import suppress
from typing import Final

from cryodevice.errors import (
    CryodeviceError,
    LinkClosedError,
    LinkError,
    LinkTimeoutError,
    SafetyRefusedError,
    WireError,
)
from cryodevice.wire.codes import Flag, Mode, Trip
from firmware_sim.conformance.blocks import RESET_KEY, Identity, Order, Status
from firmware_sim.conformance.dialect import Answer, Dialect
from firmware_sim.conformance.verdict import FailedError, SkippedError, expect

LONG_MS: Final = 1000
"""Lease of a clause that must not run out of it, where the wand allows one so long."""
TRIES: Final = 3
_U16: Final = 0x1_0000


def trip_name(code: int) -> str:
    """The name of a trip code, as the page has it."""
    try:
        return Trip(code).name
    except ValueError:
        return "no code of wire 1.0"


class Wand:
    """One wand on one line.

    Args:
        dialect: How to talk to it.
        rng: Of tokens and order numbers.
        allow_drive: Whether the user allowed orders that drive the plate.

    Attributes:
        identity: Read at the start.
        token: The kit's token, 0 before the first session.
        ordered: Whether any order was sent.
        crowded: Times the epoch advanced by more than our own orders explain.
        stranger: Token last seen in force that the kit never chose and did not find; 0 while there was none.
        held_s: How much longer than asked the kit itself was held up, since it was last set to 0.
        before_trip: A status of before the trip that the kit itself brought about.
    """

    def __init__(self, dialect: Dialect, rng: random.Random, *, allow_drive: bool = False) -> None:
        self.dialect = dialect
        self.line = dialect.line
        self.allow_drive = allow_drive
        self.identity: Identity = dialect.identity()
        self.token = 0
        self.crowded = 0
        self.held_s = 0.0
        self.before_trip: Status | None = None
        self.ordered = False
        self._rng = rng
        self._number = rng.randrange(_U16)
        self._sent = 0
        found = dialect.status()
        self._epoch = found.order_epoch
        self._tokens = {0, found.token}
        self.stranger = 0

    # --- what a clause does ------------------------------------------------------------------------------------------

    @property
    def long_ms(self) -> int:
        """A lease that outlasts any wait in a clause."""
        return min(self.identity.lease_max_ms, LONG_MS)

    def status(self) -> Status:
        """Read the status; from then on an order may echo it."""
        status = self.dialect.status()
        self._note(status)
        return status

    def wait(self, duration_s: float) -> None:
        """Let time pass."""
        until_s = self.line.now() + duration_s
        self.line.sleep(duration_s)
        self.held_s = max(self.held_s, self.line.now() - until_s)

    def ticks(self, number: int) -> None:
        """Let so many firmware ticks pass, and a little more."""
        self.wait((number * self.identity.tick_ms + 3) / 1000)

    def make(self, status: Status | None = None, /, **words: int) -> Order:
        """A good order for this wand, newer than all before; any word of it can be spoilt by name."""
        self._number = (self._number + 1) % _U16
        good = {
            "number": self._number,
            "echo": 0 if status is None else status.sequence,
            "boot_id": self.identity.boot_id,
            "token": self.token,
        }
        order = Order(**(good | words))
        self._tokens.add(order.token)
        return order

    def order(self, order: Order) -> Answer:
        """Send an order as it is."""
        self._sent += 1
        self.ordered = True
        answer = self.dialect.order(order)
        if answer.status is None:
            self._sent -= 1  # what was refused does not count
        else:
            self._note(answer.status)
        return answer

    def may_count(self, number: int) -> None:
        """So many orders go out past ``order``: the epoch may advance by them."""
        self._sent += number
        self.ordered = True

    def number_from(self, number: int) -> None:
        """The next order made is the one after this."""
        self._number = number % _U16

    def accepted(self, order: Order, what: str) -> Status:
        """Send an order that must be accepted; the status of its reply."""
        answer = self.order(order)
        if answer.status is None:
            raise FailedError(f"{what} was refused ({answer.refusal})")
        return answer.status

    def refused(self, order: Order, refusal: int, what: str) -> None:
        """Send an order that must be refused with this code."""
        answer = self.order(order)
        if answer.status is not None:
            raise FailedError(f"{what} was accepted; it is to be refused ({refusal:d})")
        expect(answer.refusal == refusal, f"{what} was refused with {answer.refusal}, not with {refusal:d}")

    def arm(self, lease_ms: int | None = None, status: Status | None = None) -> Status:
        """Arm on the status given, else on one read now; the status of the reply."""
        echoed = self.status() if status is None else status
        lease = self.long_ms if lease_ms is None else lease_ms
        return self.accepted(self.make(echoed, lease_ms=lease), f"mode 0 with a lease of {lease} ms")

    def cool(self, setpoint: int, lease_ms: int, sample: Status | None = None) -> Status:
        """Cool to a setpoint (0.01 degC) on the status given, else on one read now.

        Raises:
            SkippedError: The user has not allowed it.
        """
        if not self.allow_drive:
            raise SkippedError("it drives the plate; run with --allow-drive")
        echoed = self.status() if sample is None else sample
        order = self.make(echoed, mode=Mode.COOL, setpoint=setpoint, lease_ms=lease_ms)
        return self.accepted(order, f"cool to {setpoint / 100:.2f} °C for {lease_ms} ms")

    def stop(self, **words: int) -> Status:
        """Send a stop, with the kit's token unless told otherwise."""
        return self.accepted(self.make(**words), "a stop")

    def fresh_token(self) -> int:
        """A token that nobody has."""
        while (token := self._rng.randrange(1, _U16)) == self.token:
            pass
        self._tokens.add(token)
        return token

    # --- around the clauses ------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Open a session: no lease, a fresh token in force."""
        if self.token:
            self.stop()
        self._number = self._rng.randrange(_U16)
        token = self.fresh_token()
        status = self.stop(token=token)
        self.token = token
        expect(
            status.token == token,
            f"no session: a stop with token 0x{token:04X} while no lease is live left 0x{status.token:04X} in force",
        )

    def clear_trip(self) -> None:
        """Reset a trip that the kit itself has brought about, if one is latched."""
        if self.before_trip is None or not self.status().has(Flag.TRIP_LATCHED):
            return
        self.stop()
        self.accepted(self.make(self.status(), key=RESET_KEY), "the reset of the trip this run has brought about")
        self.before_trip = None

    def after_failure(self, *, tripped: bool) -> str:
        """Stop the wand, and reset a trip that a lease of ours has left behind; clauses after it are to be judged.

        Args:
            tripped: Whether the wand was tripped from the start.

        Returns:
            Why the clauses after it cannot be judged; empty if they can.
        """
        with suppress(FailedError, LinkError, WireError):
            self.stop()
        status = self._seen_again()
        if status is None:
            return "the wand no longer answers"
        if tripped or not status.has(Flag.TRIP_LATCHED):
            return ""
        if status.trip_code == Trip.LEASE_EXPIRED:
            self.before_trip = status
            with suppress(FailedError, LinkTimeoutError, WireError):
                self.clear_trip()
            return ""
        trip = f"trip {status.trip_code} ({trip_name(status.trip_code)})"
        return f"the wand has tripped meanwhile, {trip}; take its cause away, reset it and run again"

    def _seen_again(self) -> Status | None:
        """A status, asked for again where it does not come."""
        for _ in range(TRIES):
            try:
                self.dialect.recover()
                return self.status()
            except LinkClosedError:
                self.line.reopen()
            except (LinkTimeoutError, WireError):
                continue
        return None

    def leave(self) -> bool:
        """Stop the wand, whatever has happened; whether it was seen without a lease."""
        for attempt in range(TRIES):
            try:
                if attempt:
                    self.dialect.recover()
                self.order(self.make())
                status = self.dialect.status()
            except LinkClosedError:
                with suppress(LinkError):
                    self.line.reopen()
                continue
            except CryodeviceError:
                continue
            if not status.has(Flag.LEASE_LIVE) and status.lease_remaining_ms == 0:
                return True
        return False

    def _note(self, status: Status) -> None:
        if status.boot_id_now != self.identity.boot_id:
            self._refuse_reboot()
        advanced = (status.order_epoch - self._epoch) % _U16
        self.crowded += self._sent < advanced < _U16 // 2
        self._epoch, self._sent = status.order_epoch, 0
        if status.token not in self._tokens:
            self.stranger = status.token

    def _refuse_reboot(self) -> None:
        """A status of another boot: the wand has rebooted, or its status does not say its boot id."""
        boot_id = self.dialect.identity().boot_id
        if boot_id != self.identity.boot_id:
            raise SafetyRefusedError(
                f"the wand has rebooted meanwhile (boot {boot_id} after {self.identity.boot_id}); run again"
            )
