"""A slave that plays one recorded conversation: each request must be the next recorded one, or the play is over.

Real seconds are an argument. What it says of a request that was never recorded goes to whoever started it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise

from firmware_sim.endpoints.slave import Slave
from firmware_sim.faults.line import Protocol
from firmware_sim.recording.frames import Frames
from firmware_sim.recording.match import Matcher, Mode
from firmware_sim.recording.tape import Request

_GAP_S = 0.02
"""A silence that ends a frame of Modbus RTU that is not as long as the recorded one."""
_SOONEST_S = 0.0005


class Player(Slave):
    """One connection's recorded conversation.

    Args:
        take_up: Gives the recorded requests; called when the host first asks.
        protocol: What is spoken.
        mode: What may differ.
        clock: Real seconds.
        fast: Replies come at once instead of after their recorded delay.
        told: Called after each request with ``None``, or with a sentence when it was never recorded.
        where: What is played, for that sentence.

    Attributes:
        played: Requests that have come.
        left_out, repeated: How often the host polled less, and more, than was recorded (mode ``orders`` only).
    """

    def __init__(
        self,
        take_up: Callable[[], Sequence[Request]],
        protocol: Protocol,
        mode: Mode,
        clock: Callable[[], float],
        told: Callable[[str | None], None],
        *,
        where: str,
        fast: bool = False,
    ) -> None:
        self.protocol = protocol
        self._take_up = take_up
        self._talk: Sequence[Request] | None = None
        self._clock = clock
        self._told = told
        self._where = where
        self._fast = fast
        self._frames = Frames(protocol)
        self._matcher = Matcher(protocol, mode)
        self._due: deque[tuple[float, bytes]] = deque()
        self._fed_s = self._asked_s = 0.0
        self._failed = False
        self.played = 0
        self.left_out = 0
        self.repeated = 0

    @property
    def over(self) -> bool:
        """Whether all has been asked, and answered."""
        return self.played + self.left_out == len(self._talk or ()) and not self._due

    @property
    def patience_s(self) -> float | None:
        """Until a reply is due, or a frame that has begun is judged."""
        waits = [self._due[0][0]] if self._due else []
        if self.protocol == "rtu" and self._frames.pending:
            waits.append(self._fed_s + _GAP_S)
        return max(min(waits) - self._clock(), _SOONEST_S) if waits else None

    def feed(self, data: bytes) -> bytes:
        """Bytes have come from the host; returns those for it now."""
        self._fed_s = self._clock()
        if self._talk is None:
            self._talk = self._take_up()
        for frame in self._frames.feed(data):
            self._take(frame)
        while self.protocol == "rtu" and (length := self._expected()) and len(self._frames.pending) >= length:
            self._take(self._frames.take(length))
        return self._arrived()

    def silence(self) -> bytes:
        """Nothing has come for ``patience_s``; returns what is for the host now."""
        if self.protocol == "rtu" and self._clock() - self._fed_s + _SOONEST_S >= _GAP_S:
            for frame in self._frames.flush():
                self._take(frame)
        return self._arrived()

    def _expected(self) -> int:
        """Bytes of the request that comes next; 0 when none does."""
        talk, at = self._talk or (), self.played + self.left_out
        return len(talk[at].data) if at < len(talk) else 0

    def _take(self, frame: bytes) -> None:
        if self._failed or (self.protocol == "serial" and frame == b"\0"):
            return
        talk = self._talk or ()
        at = self._find(talk, frame)
        if at is None and self._again(talk, frame):
            return
        if at is None:
            self._failed = True
            self._due.clear()
            self._told(self._complaint(talk, frame))
            return
        request = talk[at]
        for unsent, after in pairwise(talk[self.played + self.left_out : at + 1]):
            self._matcher.repeat(unsent.data, unsent.heard, -1, after.wand_s - unsent.wand_s)
        self.left_out = at - self.played
        self.played += 1
        self._answer(request, frame)

    def _again(self, talk: Sequence[Request], frame: bytes) -> bool:
        """Answer a poll that is repeated more often than was recorded as the last time; returns whether it is one."""
        at = self.played + self.left_out - 1
        if at < 0 or not self._matcher.same(talk[at].data, frame) or not self._matcher.polls(talk[at].data):
            return False
        self.repeated += 1
        self._matcher.repeat(talk[at].data, talk[at].heard, 1, self._fed_s - self._asked_s)
        self._answer(talk[at], frame)
        return True

    def _answer(self, request: Request, frame: bytes) -> None:
        self._asked_s = self._fed_s
        self._matcher.answer(request.data, frame)
        for delay_s, data in request.replies:
            due_s = self._fed_s + (0.0 if self._fast else delay_s)
            last_s = self._due[-1][0] if self._due else due_s
            self._due.append((max(due_s, last_s), self._matcher.reply(data)))
        self._told(None)

    def _find(self, talk: Sequence[Request], frame: bytes) -> int | None:
        """Which recorded request this is: the next; where fewer polls are allowed, one after equal ones only."""
        first = self.played + self.left_out
        for at in range(first, len(talk)):
            if self._matcher.same(talk[at].data, frame):
                return at
            repeats = first > 0 and self._matcher.same(talk[first - 1].data, talk[at].data)
            if not repeats or not self._matcher.polls(talk[at].data):
                return None
        return None

    def _complaint(self, talk: Sequence[Request], frame: bytes) -> str:
        at = self.played + self.left_out
        asked = f"the host asked {frame.hex(' ')}"
        if at >= len(talk):
            return f"{asked}, and the recording ends after {len(talk)} requests ({self._where})"
        request = talk[at]
        return (
            f"{asked}, which was not recorded there: request {at + 1} of {len(talk)} is "
            f"{request.data.hex(' ')} ({self._where}, line {request.at}, {request.t_s:.3f} s)"
        )

    def _arrived(self) -> bytes:
        now_s, out = self._clock() + _SOONEST_S, b""
        while self._due and self._due[0][0] <= now_s:
            out += self._due.popleft()[1]
        return out
