"""What every wand can do, whatever carries it. Decides nothing: it moves one order out and one reading back.

Time-outs are durations. No call is repeated by itself (a lost exchange costs one tick, the lease runs on), except the
two that cannot do harm: identify while connecting, and the stops of ``make_safe``.
"""

from dataclasses import dataclass
from typing import Protocol

from cryodevice.quantities import Seconds
from cryodevice.safety.readings import Reading
from cryodevice.wire.blocks import Identity, Order

_NO_TIME = Seconds(0.0)


@dataclass(slots=True)
class Counters:
    """What the line has been like since the wand object was made. Counts do not wrap.

    Args:
        exchanges: Requests answered, error replies included.
        timeouts: Requests without a good reply before their deadline.
        stray_frames: Good frames that did not answer the request outstanding; dropped.
        bad_frames: Runs of bytes that were no good frame; dropped.
        dropped_bytes: Bytes that came while nothing was asked; dropped unread.
        refused: Orders the wand refused.
        round_trip_s: From request to answer, of the last one answered; 0 before the first.
    """

    exchanges: int = 0
    timeouts: int = 0
    stray_frames: int = 0
    bad_frames: int = 0
    dropped_bytes: int = 0
    refused: int = 0
    round_trip_s: Seconds = _NO_TIME


class Wand(Protocol):
    """One wand on one line. Calls wait for each other: one request is outstanding at a time.

    Every call may raise ``LinkTimeoutError`` (no good reply in time), ``LinkClosedError`` (the line is gone; connect
    again) and ``WireError`` (a reply that contradicts docs/wire.md). A cancelled call leaves the wand usable.
    """

    @property
    def name(self) -> str:
        """The port, as the user wrote it."""
        ...

    @property
    def counters(self) -> Counters:
        """A copy of the counters as they are now."""
        ...

    async def connect(self, timeout_s: Seconds) -> Identity:
        """Open the line, anew if it is open, and see that a wand of our wire version answers.

        On any failure the port is released again.

        Raises:
            PortUnavailableError: The port cannot be opened; says why and what to do.
            LinkTimeoutError: No wand answered; says what did come.
            IdentityError: Something answered that is no wand, or speaks another major wire version.
        """
        ...

    async def identify(self, timeout_s: Seconds) -> Identity:
        """The identity block. Judges magic and major version as ``connect`` does."""
        ...

    async def read_status(self, timeout_s: Seconds) -> Reading:
        """One reading, without an order."""
        ...

    async def exchange(self, order: Order, timeout_s: Seconds) -> Reading:
        """Order out, reading back: the whole device.

        The reading shows the order in force: its sequence answered, or, for a stop, no lease.

        Raises:
            OrderRefusedError: The wand refused the order; ``evidence['refusal']`` is the code.
        """
        ...

    async def make_safe(self, token: int, boot_id: int, sequence: int, attempts: int = 3) -> bool:
        """Send a stop until the wand shows lease ended, relay open and drive at zero. Raises no ``Exception``.

        Args:
            token: Session token in force, or 0; a stop is accepted with any.
            boot_id: The wand's boot id; a stop is accepted with any.
            sequence: Order sequence of the stop.
            attempts: Most stops sent, 1 or more.

        Returns:
            Whether the wand showed it. False says nothing about the wand: its lease ends by itself.
        """
        ...

    def close(self) -> None:
        """Release the line at once. Sends nothing; ``make_safe`` first."""
        ...
