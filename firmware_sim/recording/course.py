"""Where a recorded conversation goes on when the host asks again. Pure; knows requests only by whether they match.

In order, one by one. Only a host that polls, where its polls are its own, is answered by time: with the poll that was
recorded so long after the first of them, though it be the last one again, or one further on.
"""

from collections.abc import Sequence
from typing import Final

from firmware_sim.recording.match import Matcher
from firmware_sim.recording.tape import Request

_EARLY_S: Final = 0.025
"""A poll that comes so much before the recorded one is that one: half of a period of 20 Hz."""


class Course:
    """The way through one conversation.

    Args:
        talk: The recorded requests.
        matcher: Says which are the same, and which are polls.

    Attributes:
        place: Of the request answered last; -1 before the first.
    """

    def __init__(self, talk: Sequence[Request], matcher: Matcher) -> None:
        self.talk = talk
        self._matcher = matcher
        self._polls_ahead_s = 0.0
        self.place = -1

    @property
    def next(self) -> Request | None:
        """The request that comes next where nothing is left out."""
        return self.talk[self.place + 1] if self.place + 1 < len(self.talk) else None

    def go(self, frame: bytes, now_s: float) -> Request | None:
        """The recorded request that this one is, and is from now on the last; ``None`` if it was never recorded."""
        at = self._again(frame, now_s)
        if at is None:
            at = self.place + 1
            while self._polled() and self._goes_on(at):
                at += 1
            if at >= len(self.talk) or not self._matcher.same(self.talk[at].data, frame):
                return None
            self._polls_ahead_s = self.talk[at].wand_s - now_s
        self.place = at
        return self.talk[at]

    def _again(self, frame: bytes, now_s: float) -> int | None:
        """Which poll it is, where the host polls as it did."""
        if not self._polled() or not self._matcher.same(self.talk[self.place].data, frame):
            return None
        at = self.place
        while self._goes_on(at + 1) and self.talk[at + 1].wand_s <= now_s + self._polls_ahead_s + _EARLY_S:
            at += 1
        return at

    def _polled(self) -> bool:
        """Whether the last request was a poll that is the host's affair."""
        return self.place >= 0 and self._matcher.polls(self.talk[self.place].data)

    def _goes_on(self, at: int) -> bool:
        """Whether the request there is the last one again."""
        return at < len(self.talk) and self._matcher.same(self.talk[self.place].data, self.talk[at].data)
