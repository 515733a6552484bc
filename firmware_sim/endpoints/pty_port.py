"""A serial port in software: a pseudo-terminal whose other end a host opens like a real port. Moves bytes only.

A pty has no bit time, parity or modem lines. The simulator keeps one slave descriptor open, because with none open the
master reports a hang-up without end; it is therefore not seen here when a host attaches or leaves.
"""

import asyncio
import os
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from cryodevice.errors import PortUnavailableError
from firmware_sim.endpoints.serial_slave import SerialSlave

_CHUNK = 4096


class PtyPort:
    """Serves one slave on a new pty; to be used as an asynchronous context manager.

    Args:
        slave: Answers what is read.
        catch_up: Called before received bytes are handled; brings the wand's time to now.
        link: Symbolic link to make to the port; one left by an earlier run is replaced, anything else is not.

    Attributes:
        path: What a host opens: the link where there is one, else the device.
        overruns: Reply bytes lost because nobody read them.

    Raises:
        PortUnavailableError: No pty is to be had, or the link cannot be made.
    """

    def __init__(self, slave: SerialSlave, catch_up: Callable[[], None], link: Path | None = None) -> None:
        self._slave = slave
        self._catch_up = catch_up
        self._link = link
        self._master = self._held = -1
        self.device = ""
        self.overruns = 0

    @property
    def path(self) -> str:
        """What a host opens."""
        return self.device if self._link is None else str(self._link)

    async def __aenter__(self) -> Self:
        try:
            self._master, self._held = os.openpty()
        except OSError as error:
            raise PortUnavailableError(f"no pseudo-terminal can be opened: {error.strerror}") from error
        tty.setraw(self._held)  # before the first byte: a new pty echoes and edits lines
        os.set_blocking(self._master, False)
        self.device = os.ttyname(self._held)
        try:
            if self._link is not None:
                _make_link(self._link, self.device)
        except PortUnavailableError:
            self._close()
            raise
        asyncio.get_running_loop().add_reader(self._master, self._on_readable)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        self._close()

    def _close(self) -> None:
        os.close(self._master)
        os.close(self._held)
        if self._link is not None:
            with suppress(OSError):
                if str(self._link.readlink()) == self.device:
                    self._link.unlink()

    def _on_readable(self) -> None:
        try:
            data = os.read(self._master, _CHUNK)
        except BlockingIOError:
            return
        self._catch_up()
        self._write(self._slave.feed(data))

    def _write(self, data: bytes) -> None:
        """Write what fits; the rest is lost, as it is in a UART whose buffer is full."""
        if not data:
            return
        try:
            written = os.write(self._master, data)
        except BlockingIOError:
            written = 0
        self.overruns += len(data) - written


def _make_link(link: Path, device: str) -> None:
    if not link.is_symlink() and link.exists():
        raise PortUnavailableError(
            f"{link} exists and is no symbolic link; give another path for the port", path=str(link)
        )
    draft = link.with_name(f".{link.name}.{os.getpid()}.new")
    try:
        draft.symlink_to(device)
        draft.replace(link)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise PortUnavailableError(f"the link {link} cannot be made: {error.strerror}", path=str(link)) from error
