"""A serial port in software: a pseudo-terminal whose other end a host opens like a real port. Moves bytes only.

A pty has no bit time, parity or modem lines. The simulator keeps one slave descriptor open, because with none open the
master reports a hang-up without end; it is therefore not seen here when a host attaches or leaves.
"""

import asyncio
import hashlib
import os
import socket
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from cryodevice.errors import PortUnavailableError
from firmware_sim.endpoints.silence_timer import SilenceTimer
from firmware_sim.endpoints.slave import Slave

_CHUNK = 4096


class PtyPort:
    """Serves one slave on a new pty; to be used as an asynchronous context manager.

    Args:
        slave: Answers what is read.
        catch_up: Called before received bytes are handled; brings the wand's time to now.
        link: Symbolic link to make to the port; one left by a run that has ended is replaced, anything else is not.
        moved: Told of bytes read (negative) and written (positive), for whoever keeps account of the line.

    Attributes:
        path: What a host opens: the link where there is one, else the device.
        overruns: Reply bytes lost because nobody read them.

    Raises:
        PortUnavailableError: No pty is to be had, or the link cannot be made.
    """

    def __init__(
        self,
        slave: Slave,
        catch_up: Callable[[], None],
        link: Path | None = None,
        moved: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._slave = slave
        self._moved = moved
        self._catch_up = catch_up
        self._link = link
        self._claim: socket.socket | None = None
        self._silence = SilenceTimer(self._on_silence)
        self._master = self._held = -1
        self.device = ""
        self.overruns = 0

    @property
    def path(self) -> str:
        """What a host opens."""
        return self.device if self._link is None else str(self._link)

    async def __aenter__(self) -> Self:
        if self._link is not None:
            self._claim = _claim(self._link)
        try:
            self._open()
        except PortUnavailableError:
            self._let_go()
            raise
        self._slave.attach(self._listen_on, self._plug)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._slave.close()
        self._close()
        self._let_go()

    def _open(self) -> None:
        try:
            self._master, self._held = os.openpty()
        except OSError as error:
            raise PortUnavailableError(f"no pseudo-terminal can be opened: {error.strerror}") from error
        tty.setraw(self._held)  # before the first byte: a new pty echoes and edits lines
        os.set_blocking(self._master, False)
        self.device = os.ttyname(self._held)
        asyncio.get_running_loop().add_reader(self._master, self._on_readable)
        try:
            if self._link is not None:
                _make_link(self._link, self.device)
        except PortUnavailableError:
            self._close()
            raise

    def _close(self) -> None:
        if self._master < 0:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        self._silence.set(None)
        os.close(self._master)
        os.close(self._held)
        self._master = self._held = -1
        if self._link is not None:
            with suppress(OSError):
                if str(self._link.readlink()) == self.device:
                    self._link.unlink()

    def _let_go(self) -> None:
        if self._claim is not None:
            self._claim.close()

    def _plug(self, there: bool) -> None:  # noqa: FBT001  # a plug is in or out
        """Go away as an adapter does that is pulled out, or come back; with a link the name is the same again."""
        self._close()
        if there:
            self._open()

    def _on_readable(self) -> bool:
        """Handle what there is; returns whether there was anything."""
        try:
            data = os.read(self._master, _CHUNK)
        except BlockingIOError:
            return False
        self._moved(-len(data))
        self._catch_up()
        self._write(self._slave.feed(data))
        self._listen_on()
        return True

    def _on_silence(self) -> None:
        if not self._on_readable():  # bytes may have come while this process was held up: then it was no silence
            self._catch_up()
            self._write(self._slave.silence())
            self._listen_on()

    def _listen_on(self) -> None:
        if self._master < 0:
            return
        self._silence.set(self._slave.patience_s)

    def _write(self, data: bytes) -> None:
        """Write what fits; the rest is lost, as it is in a UART whose buffer is full."""
        if not data or self._master < 0:
            return
        try:
            written = os.write(self._master, data)
        except BlockingIOError:
            written = 0
        self._moved(written)
        self.overruns += len(data) - written


def _claim(link: Path) -> socket.socket:
    """Hold the name of a link against other simulators; the system lets go of it when this one ends, however it ends.

    A link's target tells nothing: the number of a dead run's pty is soon given to another.
    """
    name = hashlib.sha256(os.fsencode(link.parent.resolve() / link.name)).hexdigest()
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(f"\0firmware-sim/{name}")
    except OSError as error:
        claim.close()
        raise PortUnavailableError(
            f"{link} is the port of a firmware-sim that is running; give another path, or end that one", path=str(link)
        ) from error
    return claim


def _make_link(link: Path, device: str) -> None:
    ours = link.readlink().parent == Path(device).parent if link.is_symlink() else not link.exists()
    if not ours:
        raise PortUnavailableError(
            f"{link} exists and is no link to a pseudo-terminal; give another path for the port", path=str(link)
        )
    draft = link.with_name(f".{link.name}.{os.getpid()}.new")
    try:
        draft.symlink_to(device)
        draft.replace(link)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise PortUnavailableError(f"the link {link} cannot be made: {error.strerror}", path=str(link)) from error
