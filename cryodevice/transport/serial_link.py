"""A serial port or pseudo-terminal as a link: pyserial opens and configures it, the event loop moves its bytes.

See docs/decisions/0003-serial-on-the-event-loop.md. Does not find ports and does not reconnect.
"""

import contextlib
import fcntl
import os
import termios

import serial

from cryodevice.errors import LinkTimeoutError
from cryodevice.quantities import Seconds
from cryodevice.transport import ports
from cryodevice.transport.descriptor_link import DescriptorLink, Handle
from cryodevice.transport.off_loop import off_loop


class SerialLink(DescriptorLink):
    """One serial port, held exclusively while open.

    Args:
        port: Path of the device, by preference under /dev/serial/by-id.
        baud: Bit rate, 115200 for wire 1.0.
        parity: N, E or O.
        stop_bits: 1 or 2.
    """

    def __init__(self, port: str, baud: int = 115_200, parity: str = "N", stop_bits: int = 1) -> None:
        super().__init__(port)
        self._baud = baud
        self._parity = parity
        self._stop_bits = stop_bits

    async def _acquire(self, deadline_s: Seconds) -> Handle:
        try:
            return await off_loop(self._open_port, deadline_s, serial.Serial.close)
        except TimeoutError as error:
            raise LinkTimeoutError(f"{self.name}: its driver did not open it in time", port=self.name) from error

    def _open_port(self) -> serial.Serial:
        # A pseudo-terminal has no parity or stop bits: pyserial's are ignored there at best and EINVAL at worst.
        pseudo = os.path.realpath(self.name).startswith("/dev/pts/")
        try:
            port = serial.Serial(
                self.name,
                baudrate=self._baud,
                parity="N" if pseudo else self._parity,
                stopbits=1 if pseudo else self._stop_bits,
                timeout=0,
                write_timeout=0,
                exclusive=True,
            )
        except (OSError, ValueError) as error:  # SerialException is an OSError; ValueError is a rate it cannot do
            raise ports.explain(self.name, error, ports.present(), ports.holder(self.name)) from error
        try:
            _make_ready(port.fileno())
            if not pseudo:
                _make_prompt_and_ours(port)
        except (OSError, termios.error) as error:
            port.close()
            raise ports.explain(self.name, error) from error
        return port

    def _before_close(self, handle: Handle) -> None:
        # Closing a port waits up to 30 s for bytes it cannot send (setserial(8), closing_wait).
        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(handle.fileno(), termios.TCOFLUSH)
        with contextlib.suppress(OSError):
            fcntl.ioctl(handle.fileno(), termios.TIOCNXCL)


def _make_ready(descriptor: int) -> None:
    """Non-blocking, and reading nothing means hung up.

    pyserial sets VMIN 0, with which a read of an empty line and of a dead one both return no bytes.
    """
    os.set_blocking(descriptor, False)
    attributes = termios.tcgetattr(descriptor)
    attributes[6][termios.VMIN], attributes[6][termios.VTIME] = 1, 0
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def _make_prompt_and_ours(port: serial.Serial) -> None:
    """Low latency (an FTDI adapter holds bytes back for 16 ms otherwise), and no other opener.

    The lock of ``exclusive=True`` is advisory; TIOCEXCL turns away programs that do not ask. It is not set on a
    pseudo-terminal, where it would outlive this process as long as the other side keeps the terminal open.
    """
    with contextlib.suppress(OSError, ValueError, NotImplementedError):
        port.set_low_latency_mode(True)
    with contextlib.suppress(OSError):
        fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
