"""Keeps every frame of a running wand's lines in a file. A file that cannot grow ends the recording, not the wand."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from firmware_sim.endpoints.slave import Slave
from firmware_sim.recording.form import Entry, RecordingError, To, header_text
from firmware_sim.recording.frames import Frames

_GAP_S: Final = 0.005
"""A silence that ends a frame where nothing else does, as on Modbus RTU."""
MB: Final = 1_000_000


class Recorder:
    """Writes one recording; to be used as a context manager.

    Args:
        path: A file that is not there yet.
        header: What its first line tells about the wand.
        clock: Real seconds.
        wand_s: Simulated seconds.
        limit: Most bytes the file may have.

    Raises:
        RecordingError: The file is there already, or cannot be written.
    """

    def __init__(
        self,
        path: Path,
        header: Mapping[str, Any],
        clock: Callable[[], float],
        wand_s: Callable[[], float],
        limit: int = 100 * MB,
    ) -> None:
        self._path = path
        self._clock = clock
        self._wand_s = wand_s
        self._limit = limit
        self._peers = Counter[str]()
        self._size = self._kept = 0
        self._start_s = clock()
        try:
            self._file = path.open("x", encoding="ascii")
            self._write(header_text(header))
        except FileExistsError as error:
            raise RecordingError(f"{path} is there already; give another name for the recording") from error
        except OSError as error:
            raise RecordingError(f"{path} cannot be written: {error.strerror}") from error
        self._going = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end("")
        if exc_type is not None and not self._kept:
            self._path.unlink(missing_ok=True)  # the wand did not start

    def line(self, name: str, slave: Slave) -> Slave:
        """The slave with its line recorded; to be served in its place.

        Args:
            name: Kind of line.
            slave: What is served there.
        """
        self._peers[name] += 1
        return RecordedLine(slave, self, name, self._peers[name])

    def now_s(self) -> float:
        """Real seconds since the recording began."""
        return self._clock() - self._start_s

    def keep(self, line: str, peer: int, to: To, data: bytes) -> None:
        """One frame."""
        if not self._going:
            return
        text = Entry(self.now_s(), self._wand_s(), line, peer, to, data).text
        if self._size + len(text) >= self._limit:
            self._end(f"it has reached its limit of {self._limit / MB:g} MB (--record-limit)")
            return
        self._kept += 1
        try:
            self._write(text)
        except OSError as error:
            self._end(error.strerror or str(error))

    def _write(self, text: str) -> None:
        self._file.write(f"{text}\n")
        self._file.flush()
        self._size += len(text) + 1

    def _end(self, why: str) -> None:
        """No more is written; ``why`` is said once."""
        if self._going and why:
            at = f"after {self.now_s():.1f} s"
            print(f"firmware-sim: the recording in {self._path} ended {at}: {why}; the wand goes on", file=sys.stderr)  # noqa: T201
        self._going = False
        with suppress(OSError):  # what could not be written is still in its buffer; that has been said
            self._file.close()


class RecordedLine(Slave):
    """A slave whose line is recorded, as its port sees it: faults of the line included."""

    def __init__(self, slave: Slave, recorder: Recorder, name: str, peer: int) -> None:
        self._slave = slave
        self._recorder = recorder
        self._name = name
        self._peer = peer
        self._heard_s = 0.0
        self.protocol = slave.protocol
        self._to_wand, self._to_host = Frames(slave.protocol), Frames(slave.protocol)

    @property
    def out_of_step(self) -> bool:  # type: ignore[override]  # what a plain slave keeps, a line asks for
        """Whether the slave is."""
        return self._slave.out_of_step

    @property
    def patience_s(self) -> float | None:
        """As the slave has it."""
        return self._slave.patience_s

    def attach(self, wake: Callable[[], None], plug: Callable[[bool], None]) -> None:
        """The port that serves this line."""
        self._slave.attach(wake, plug)

    def feed(self, data: bytes) -> bytes:
        """Bytes have come from the host; returns those for it."""
        now_s = self._recorder.now_s()
        if now_s - self._heard_s > _GAP_S and self.protocol == "rtu":
            self._keep("wand", self._to_wand.flush())
        self._heard_s = now_s
        self._keep("wand", self._to_wand.feed(data))
        return self._said(self._slave.feed(data))

    def silence(self) -> bytes:
        """Nothing has come from the host for ``patience_s``; returns what is for it."""
        if self.protocol == "rtu":
            self._keep("wand", self._to_wand.flush())
        return self._said(self._slave.silence())

    def close(self) -> None:
        """The line is gone."""
        self._keep("wand", self._to_wand.flush())
        self._slave.close()

    def _said(self, data: bytes) -> bytes:
        if data:
            if self.protocol == "rtu":
                self._keep("wand", self._to_wand.flush())
            self._keep("host", self._to_host.feed(data))
            self._keep("host", self._to_host.flush())
        return data

    def _keep(self, to: To, frames: list[bytes]) -> None:
        for frame in frames:
            self._recorder.keep(self._name, self._peer, to, frame)
