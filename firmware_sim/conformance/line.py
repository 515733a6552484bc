"""What the kit needs of a line: bytes out, bytes in by a deadline, and a clock that belongs to it. Knows no protocol.

Two real lines stand here, a serial port and a TCP stream; a test brings one of its own, in memory and simulated time.
"""

import os
import select
import socket
import time
from contextlib import suppress
from typing import Protocol

import serial

from cryodevice.errors import LinkClosedError, PortUnavailableError

_CHUNK = 4096
_CONNECT_S = 3.0


class Line(Protocol):
    """One end of one line. Times are seconds of its own monotonic clock."""

    @property
    def is_stream(self) -> bool:
        """Whether it is a TCP stream, which the wand can close, and no serial port."""
        ...

    def now(self) -> float:
        """The time."""
        ...

    def sleep(self, duration_s: float) -> None:
        """Let time pass; bytes that come meanwhile wait."""
        ...

    def send(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            LinkClosedError: The other end went away.
        """
        ...

    def receive(self, until_s: float) -> bytes:
        """What has come, at least one byte; ``b""`` when nothing has by that time.

        Raises:
            LinkClosedError: The other end went away.
        """
        ...

    def reopen(self) -> None:
        """Close and open anew; what was under way is lost.

        Raises:
            PortUnavailableError: It cannot be opened.
        """
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class _Descriptor:
    """Reading and writing by a file descriptor and the monotonic clock."""

    _fd: int
    _name: str

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, duration_s: float) -> None:
        time.sleep(max(0.0, duration_s))

    def send(self, data: bytes) -> None:
        self._check()
        until_s = time.monotonic() + _CONNECT_S
        while data:
            if not select.select([], [self._fd], [], max(0.0, until_s - time.monotonic()))[1]:
                raise LinkClosedError(f"{self._name} takes no more bytes: nothing reads at the other end")
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._gone(error) from error

    def receive(self, until_s: float) -> bytes:
        self._check()
        if not select.select([self._fd], [], [], max(0.0, until_s - time.monotonic()))[0]:
            return b""
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._gone(error) from error
        if not data:
            raise self._gone(None)
        return data

    def _check(self) -> None:
        if self._fd < 0:
            raise self._gone(None)

    def _gone(self, error: OSError | None) -> LinkClosedError:
        why = error.strerror if error is not None and error.strerror else "the other end closed it"
        return LinkClosedError(f"the line on {self._name} is gone: {why}")


class SerialLine(_Descriptor):
    """A serial port, 8 data bits, no parity, 1 stop bit; nobody else can open it meanwhile.

    Raises:
        PortUnavailableError: It cannot be opened.
    """

    is_stream = False

    def __init__(self, port: str, baud: int) -> None:
        self._name, self._baud = port, baud
        self._open()

    def _open(self) -> None:
        try:
            self._port = serial.Serial(self._name, self._baud, exclusive=True, timeout=0, write_timeout=0)
            self._fd = self._port.fileno()
        except (OSError, ValueError) as error:
            raise PortUnavailableError(_cannot_open(self._name, error), port=self._name) from error

    def reopen(self) -> None:
        """Close and open anew."""
        self.close()
        self._open()

    def close(self) -> None:
        """Let go of it."""
        self._fd = -1
        with suppress(OSError):
            self._port.close()


class TcpLine(_Descriptor):
    """A TCP stream to HOST:PORT.

    Raises:
        PortUnavailableError: Nobody listens there.
    """

    is_stream = True

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._open()

    def _open(self) -> None:
        try:
            self._socket = socket.create_connection(self._address, timeout=_CONNECT_S)
        except OSError as error:
            raise PortUnavailableError(
                f"cannot connect to {self._name}: {error.strerror or error}; check the address, and that the wand "
                "listens there",
                address=self._name,
            ) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._fd = self._socket.fileno()

    def reopen(self) -> None:
        """Close and open anew."""
        self.close()
        self._open()

    def close(self) -> None:
        """Let go of it."""
        self._fd = -1
        with suppress(OSError):
            self._socket.close()


def _cannot_open(port: str, error: Exception) -> str:
    if not os.path.exists(port):  # noqa: PTH110  # a port is a name, not a path to work with
        return f"there is no port {port}; plug the wand in, or give another port"
    number = getattr(error, "errno", None)
    why = os.strerror(number) if isinstance(number, int) else str(error)
    return f"port {port} cannot be opened ({why}); end what uses it, or see that you may use it (group dialout)"
