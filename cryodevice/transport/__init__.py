"""Bytes and deadlines: a serial port or a TCP socket as a ``Link``. Knows no frames, registers or wands."""

from cryodevice.transport.factory import open_link
from cryodevice.transport.link import Link

__all__ = ["Link", "open_link"]
