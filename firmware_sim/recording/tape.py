"""One line of a recording as a conversation: what the host asked, and what it heard until it asked again. Facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from firmware_sim.faults.line import Protocol
from firmware_sim.recording.form import Entry, Recording, RecordingError

PROTOCOLS: Final[Mapping[str, Protocol]] = {
    "serial": "serial",
    "serial_tcp": "serial",
    "modbus_rtu": "rtu",
    "modbus_tcp": "tcp",
}
"""What is spoken on each kind of line."""


@dataclass(slots=True)
class Request:
    """One frame of the host and what it heard after it.

    Args:
        data: The frame.
        t_s: When it came, as recorded.
        wand_s: The same in the wand's time.
        at: Line of the file.
        replies: Delay after the frame in seconds, and bytes.
    """

    data: bytes
    t_s: float
    wand_s: float
    at: int
    replies: list[tuple[float, bytes]] = field(default_factory=list)

    @property
    def heard(self) -> list[bytes]:
        """The bytes of the replies."""
        return [data for _, data in self.replies]


@dataclass(frozen=True, slots=True)
class Tape:
    """What was recorded on one kind of line.

    Args:
        line: Kind of line.
        protocol: What is spoken on it.
        talks: Requests of each connection, in the order in which connections first spoke.
    """

    line: str
    protocol: Protocol
    talks: tuple[tuple[Request, ...], ...]

    @property
    def requests(self) -> int:
        """How many there are on all connections."""
        return sum(map(len, self.talks))

    def on_one_connection(self) -> "Tape":
        """The same, one connection after the other on a line that knows only one."""
        return Tape(self.line, self.protocol, (tuple(request for talk in self.talks for request in talk),))


def tape_of(name: str, recording: Recording, wanted: str | None) -> Tape:
    """The line of a recording that is to be played.

    Args:
        name: Of the file, for errors.
        recording: What it holds.
        wanted: Kind of line it is to be played on; ``None``: that on which it was recorded.

    Raises:
        RecordingError: Nothing of the kind was recorded, or several and none was named.
    """
    found = [line for line in PROTOCOLS if any(entry.line == line for entry in recording.entries)]
    if not any(_asks(entry) for entry in recording.entries):
        raise RecordingError(f"{name} holds no request: nobody asked the wand anything while it was recorded")
    if wanted is None and len(found) > 1:
        options = ", ".join(f"--{line.replace('_', '-')}" for line in found)
        raise RecordingError(f"{name} holds several lines; say which to play: {options}")
    line = found[0] if wanted is None else wanted
    if line not in found:
        line = next((other for other in found if PROTOCOLS[other] == PROTOCOLS[line]), "")
    talks: dict[int, list[Request]] = {}
    for entry in recording.entries:
        if entry.line == line:
            _add(talks.setdefault(entry.peer, []), entry)
    kept = tuple(tuple(talk) for talk in talks.values() if talk)
    if not kept:
        raise RecordingError(f"{name} holds no request that could be played there; recorded were: {', '.join(found)}")
    return Tape(line, PROTOCOLS[line], kept)


def _asks(entry: Entry) -> bool:
    """Whether it is a frame of the host; a lone delimiter asks nothing."""
    return entry.to == "wand" and (PROTOCOLS[entry.line] != "serial" or entry.data != b"\0")


def _add(talk: list[Request], entry: Entry) -> None:
    if _asks(entry):
        talk.append(Request(entry.data, entry.t_s, entry.wand_s, entry.at))
    elif entry.to == "host" and talk:
        talk[-1].replies.append((max(0.0, entry.t_s - talk[-1].t_s), entry.data))
