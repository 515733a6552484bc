"""A slave that plays one recorded conversation: each request must be the next recorded one, or the play is over.

Real seconds are an argument. What it says of a request that was never recorded goes to whoever started it.
"""

from collections import deque
from collections.abc import Callable, Sequence

from firmware_sim.endpoints.slave import Slave
from firmware_sim.faults.line import Protocol
from firmware_sim.recording.course import Course
from firmware_sim.recording.frames import Frames
from firmware_sim.recording.match import Matcher, Mode
from firmware_sim.recording.tape import Request

_GAP_S = 0.02
"""A silence that ends a frame of Modbus RTU that does not tell its length."""
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
        self._course: Course | None = None
        self._clock = clock
        self._told = told
        self._where = where
        self._fast = fast
        self._frames = Frames(protocol)
        self._matcher = Matcher(protocol, mode)
        self._due: deque[tuple[float, bytes]] = deque()
        self._fed_s = 0.0
        self._ahead_s: float | None = None
        self._failed = False
        self.played = 0
        self.left_out = 0
        self.repeated = 0

    @property
    def over(self) -> bool:
        """Whether all has been asked, and answered."""
        return (self._course is None or self._course.next is None) and not self._due

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
        if self._course is None:
            self._course = Course(self._take_up(), self._matcher)
        for frame in self._frames.feed(data):
            self._take(frame)
        while (expected := self._course.next) and self._frames.pending.startswith(expected.data):
            self._take(self._frames.take(len(expected.data)))
        return self._arrived()

    def silence(self) -> bytes:
        """Nothing has come for ``patience_s``; returns what is for the host now."""
        if self.protocol == "rtu" and self._clock() - self._fed_s + _SOONEST_S >= _GAP_S:
            for frame in self._frames.flush():
                self._take(frame)
        return self._arrived()

    def _take(self, frame: bytes) -> None:
        course = self._course
        if self._failed or course is None or (self.protocol == "serial" and frame == b"\0"):
            return
        last = course.place
        request = course.go(frame, self._fed_s)
        if request is None:
            self._failed = True
            self._due.clear()
            self._told(self._complaint(course, frame))
            return
        if course.place == last:
            self.repeated += 1
            self._matcher.repeat(request.data, request.heard, 1)
        else:
            self.played += 1
            for unsent in course.talk[last + 1 : course.place]:
                self.left_out += 1
                self._matcher.repeat(unsent.data, unsent.heard, -1)
        self._answer(request, frame)

    def _answer(self, request: Request, frame: bytes) -> None:
        if self._ahead_s is None:
            self._ahead_s = request.wand_s - self._fed_s
        self._matcher.at(request.wand_s, self._fed_s + self._ahead_s)
        self._matcher.answer(request.data, frame, request.heard)
        for delay_s, data in request.replies:
            due_s = self._fed_s + (0.0 if self._fast else delay_s)
            last_s = self._due[-1][0] if self._due else due_s
            self._due.append((max(due_s, last_s), self._matcher.reply(data)))
        self._told(None)

    def _complaint(self, course: Course, frame: bytes) -> str:
        asked, count, request = f"the host asked {frame.hex(' ')}", len(course.talk), course.next
        if request is None:
            return f"{asked}, and the recording ends after {count} requests ({self._where})"
        return (
            f"{asked}, which was not recorded there: request {course.place + 2} of {count} is "
            f"{request.data.hex(' ')} ({self._where}, line {request.at}, {request.t_s:.3f} s)"
        )

    def _arrived(self) -> bytes:
        now_s, out = self._clock() + _SOONEST_S, b""
        while self._due and self._due[0][0] <= now_s:
            out += self._due.popleft()[1]
        return out
