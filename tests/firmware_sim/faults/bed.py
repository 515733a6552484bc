"""A wand with a session open and lines to it, to be looked at: the same look at a good wand and at a broken one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryodevice.wire.blocks import Identity, Status, unpack_identity
from cryodevice.wire.codes import Mode
from cryodevice.wire.frame import Frame, FrameReader, FrameType, encode_frame
from firmware_sim.endpoints.serial_slave import SerialSlave
from tests.firmware_sim.conftest import TOKEN, Bench

TICK_S = 0.02
STEP_S = 0.002
REQUESTS = 3
GAP_S = 0.06


@dataclass
class Talk:
    """What a host heard after some exchanges, and what became of its orders."""

    sent: list[bytes] = field(default_factory=list)
    sent_s: list[float] = field(default_factory=list)
    got: list[bytes] = field(default_factory=list)
    got_s: list[float] = field(default_factory=list)
    truly: list[list[int]] = field(default_factory=list)
    accepted: int = 0

    @property
    def frames(self) -> list[Frame]:
        return FrameReader().feed(b"".join(self.got))

    @property
    def bytes(self) -> int:
        return len(b"".join(self.got))

    @property
    def sequences(self) -> list[int]:
        return [frame.sequence for frame in self.frames]

    @property
    def types(self) -> list[int]:
        return [frame.type for frame in self.frames]

    @property
    def asked(self) -> list[int]:
        return [frame.sequence for frame in FrameReader().feed(b"".join(self.sent))]


class Bed(Bench):
    """One wand on which one fault is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.line = self.simulator.line("memory", SerialSlave(self.firmware))
        self.plugs: list[bool] = []
        self.line.attach(lambda: None, self.plugs.append)
        self.number = 0
        self.before: dict[str, Any] = {}

    @property
    def truth(self) -> dict[str, Any]:
        return self.simulator.truth()

    def fresh(self) -> None:
        """The wand boots and a session is open anew."""
        self.simulator.reboot()
        self.simulator.advance(TICK_S)
        self.host.stop()

    def status(self, wait_s: float = 0.24) -> Status:
        self.simulator.advance(wait_s)
        return self.host.status()

    def identity(self) -> Identity:
        return unpack_identity(self.firmware.identity_words())

    def cooled(self, seconds: float, setpoint_degc: float = 8.0) -> Status:
        """Cool that long, whatever was before; the lease is still live."""
        self.fresh()
        end_s = self.simulator.time_s + seconds
        while self.simulator.time_s < end_s - 1e-9:
            self.host.cool(setpoint_degc=setpoint_degc)
            self.simulator.advance(0.1)
        return self.host.status()

    def armed(self, seconds: float) -> None:
        self.fresh()
        end_s = self.simulator.time_s + seconds
        while self.simulator.time_s < end_s - 1e-9:
            self.host.status()
            self.host.send(Mode.OFF)
            self.simulator.advance(0.1)

    def ticks(self, read: Callable[[Status], Any], number: int = 12) -> list[Any]:
        return [read(self.status(TICK_S)) for _ in range(number)]

    def since(self, name: str, value: Any) -> Any:
        """The value of this look and the one of the look before."""
        last = self.before.get(name, value)
        self.before[name] = value
        return last, value

    def talk(self, requests: int = REQUESTS, tail_s: float = 0.12) -> Talk:
        """Some exchanges over the line, each with an order for cooling that echoes the newest status."""
        self.fresh()
        talk, accepted = Talk(), self.truth["orders_accepted"]
        for _ in range(requests):
            self.number = (self.number + 1) % 256
            self.host.status()
            order = b"".join(word.to_bytes(2, "big") for word in self.host.words(Mode.COOL))
            request = encode_frame(Frame(FrameType.EXCHANGE, self.number, order))
            talk.sent.append(request)
            talk.sent_s.append(self.simulator.time_s)
            self._hear(talk, self.line.feed(request))
            self._listen(talk, GAP_S)
        self._listen(talk, tail_s)
        talk.accepted = self.truth["orders_accepted"] - accepted
        return talk

    def _listen(self, talk: Talk, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.simulator.advance(STEP_S)
            self._hear(talk, self.line.silence())

    def _hear(self, talk: Talk, data: bytes) -> None:
        if data:
            talk.got.append(data)
            talk.got_s.append(self.simulator.time_s)
            talk.truly.append(list(self.firmware.last_reply or ()))


__all__ = ["TOKEN", "Bed", "Talk"]
