"""Plays a device from a recording on a port of this machine, until all is asked or something was never recorded."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

from firmware_sim.endpoints.loopback import Address
from firmware_sim.endpoints.pty_port import PtyPort
from firmware_sim.endpoints.tcp_port import TcpPort
from firmware_sim.recording.form import Recording, RecordingError, parse
from firmware_sim.recording.match import Mode
from firmware_sim.recording.player import Player
from firmware_sim.recording.tape import Tape

LINGER_S: Final = 0.5
"""So long after the last reply one more request still fails the play; then the port goes away."""
_LOOK_S: Final = 0.05


def read(path: Path) -> Recording:
    """The recording in a file.

    Raises:
        RecordingError: It cannot be read, or is none.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return parse(str(path), file)
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror}") from error


class Replay:
    """One play of a tape.

    Args:
        tape: What was recorded on the line.
        name: Of the file, for what is said of it.
        mode: What may differ.
        fast: Replies come at once instead of after their recorded delay.
        clock: Real seconds.

    Attributes:
        complaint: Why it has failed; empty while it has not.
    """

    def __init__(
        self, tape: Tape, name: str, mode: Mode, *, fast: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tape = tape
        self._name = name
        self._mode: Mode = mode
        self._fast = fast
        self._clock = clock
        self._players: list[Player] = []
        self._talks = iter(tape.talks)
        self._news = asyncio.Event()
        self.complaint = ""

    @property
    def played(self) -> int:
        """Requests that have come."""
        return sum(player.played for player in self._players)

    @property
    def left_out(self) -> int:
        """Recorded requests that the host did not repeat as often as recorded."""
        return sum(player.left_out for player in self._players)

    @property
    def repeated(self) -> int:
        """Requests that it repeated more often than recorded."""
        return sum(player.repeated for player in self._players)

    @property
    def over(self) -> bool:
        """Whether all has been asked, and answered."""
        return self.played + self.left_out == self._tape.requests and all(player.over for player in self._players)

    def connection(self) -> Player:
        """The slave of one more connection; it takes up the next recorded conversation when it is first asked."""
        player = Player(
            lambda: next(self._talks, ()),
            self._tape.protocol,
            self._mode,
            self._clock,
            self._told,
            where=self._name,
            fast=self._fast,
        )
        self._players.append(player)
        return player

    def _told(self, complaint: str | None) -> None:
        self.complaint = self.complaint or complaint or ""
        self._news.set()

    async def until_over(self) -> None:
        """Return when it has failed, or some time after all has been asked."""
        quiet_since_s = self._clock()
        while not self.complaint:
            if self._news.is_set() or not self.over:
                self._news.clear()
                quiet_since_s = self._clock()
            elif self._clock() - quiet_since_s >= LINGER_S:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _LOOK_S)

    async def open(self, stack: AsyncExitStack, place: str | Address) -> str:
        """Open the port; returns where it is.

        Args:
            stack: Closes it.
            place: An address of TCP, or where to link the pseudo-terminal; empty for no link.
        """
        if isinstance(place, Address):
            tcp = TcpPort(self.connection, _nothing, place, "the replay")
            return str((await stack.enter_async_context(tcp)).address)
        pty = PtyPort(self.connection(), _nothing, Path(place) if place else None)
        return (await stack.enter_async_context(pty)).path


def _nothing() -> None:
    """A recording has no time to catch up with."""
