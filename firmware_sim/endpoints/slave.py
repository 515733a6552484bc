"""What a port needs of the wand's end of a line: bytes in, bytes out, and what silence means. Knows no protocol.

Time enters as two events, bytes and silence. Whoever moves the bytes owns the clock, real or simulated.
"""

from collections.abc import Callable

from firmware_sim.faults.line import Protocol


class Slave:
    """One end of one line. As it stands here: silence means nothing, and no bytes can break the line.

    Attributes:
        protocol: What is spoken on this line.
        out_of_step: Nothing more can be understood on this line; it is to be closed once the last replies are sent.
    """

    protocol: Protocol = "serial"
    out_of_step = False

    @property
    def patience_s(self) -> float | None:
        """``silence`` is to be called when so long no byte has come, s; ``None``: never. Changes with every feed."""
        return None

    def feed(self, data: bytes) -> bytes:
        """Take bytes in any pieces; returns the replies to the requests they complete, oldest first."""
        raise NotImplementedError

    def attach(self, wake: Callable[[], None], plug: Callable[[bool], None]) -> None:
        """The port that serves this line.

        Args:
            wake: To be called when ``patience_s`` has become less without a feed.
            plug: To be called when the port is to go away (False) or to come back (True).
        """

    def close(self) -> None:
        """The line is gone."""

    def silence(self) -> bytes:
        """The line has been silent for ``patience_s``; returns the replies to what that completes."""
        return b""
