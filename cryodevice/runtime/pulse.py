"""Whether the daemon is alive: ages and keyed pings in, nothing or the reason to let the service manager act out.

Pure: told the time, sends nothing. Alive is not safe: the lease ends by itself, and a locked wand is well watched.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

LAG_LIMIT_S = 0.2
"""How late the loop may run what is due, s (engineering default: four ticks at 20 Hz)."""
VERDICT_LIMIT_S = 0.5
"""How old the last verdict may be, s: one lease, after which it protects nobody (engineering default)."""
READING_LIMIT_S = 0.5
"""How old the last good reply of a connected wand may be, s: one lease (engineering default)."""
ANSWER_LIMIT_S = 0.5
"""How long a service that never waits for others may leave a ping unanswered, s (engineering default)."""


@dataclass(slots=True)
class Ping:
    """The questions one service is asked. It answers from its own task, by ``answer``, each time it comes round.

    Args:
        name: The service.
        within_s: How long it may take: the longest it ever waits for somebody else, and some.
    """

    name: str
    within_s: float
    _asked: int = 0
    _answered: int = 0
    _asked_at_s: float = 0.0

    def ask(self, now_s: float) -> None:
        """Ask with a new key, if the last one was answered."""
        if self._answered == self._asked:
            self._asked, self._asked_at_s = self._asked + 1, now_s

    def answer(self) -> None:
        """Hand the key back."""
        self._answered = self._asked

    @property
    def ever_answered(self) -> bool:
        """Whether the service has come round at least once since it was first asked."""
        return self._answered > 0

    def silent_s(self, now_s: float) -> float:
        """How long the present key has not come back, s."""
        return 0.0 if self._answered == self._asked else now_s - self._asked_at_s


@dataclass(slots=True)
class Pings:
    """The services that are asked."""

    all: dict[str, Ping] = field(default_factory=dict)

    def of(self, name: str, within_s: float = ANSWER_LIMIT_S) -> Callable[[], None]:
        """Ask this service too; returns what it must call."""
        return self.all.setdefault(name, Ping(name, within_s)).answer

    def ask(self, now_s: float) -> None:
        """Ask every service."""
        for ping in self.all.values():
            ping.ask(now_s)

    @property
    def all_answered(self) -> bool:
        """Whether every service has come round at least once."""
        return all(ping.ever_answered for ping in self.all.values())


@dataclass(frozen=True, slots=True)
class Signs:
    """What is seen of the daemon at one moment.

    Args:
        lag_s: How much too late the loop ran the one who looks.
        verdict_age_s: Since the interlocks were last judged.
        reading_age_s: Since the last good reply; None while no wand is connected, which is waiting and not hanging.
        pings: The services as they were asked.
        now_s: The moment, monotonic.
    """

    lag_s: float
    verdict_age_s: float
    reading_age_s: float | None
    pings: Iterable[Ping]
    now_s: float


@dataclass(frozen=True, slots=True)
class Missing:
    """A sign of life that is missing: which, and in words."""

    sign: str
    said: str


def missing(signs: Signs) -> Missing | None:
    """The first sign of life that is missing, None when all are there. Closed ranges: an age that is NaN is missing."""
    if not 0.0 <= signs.lag_s <= LAG_LIMIT_S:
        return Missing("loop", f"the loop ran {signs.lag_s:.2f} s late; at most {LAG_LIMIT_S:g} s")
    if not 0.0 <= signs.verdict_age_s <= VERDICT_LIMIT_S:
        return Missing(
            "verdict", f"the interlocks were last judged {signs.verdict_age_s:.2f} s ago; at most {VERDICT_LIMIT_S:g} s"
        )
    age_s = signs.reading_age_s
    if age_s is not None and not 0.0 <= age_s <= READING_LIMIT_S:
        return Missing("reading", f"the connected wand last answered {age_s:.2f} s ago; at most {READING_LIMIT_S:g} s")
    for ping in signs.pings:
        silent_s = ping.silent_s(signs.now_s)
        if not 0.0 <= silent_s <= ping.within_s:
            return Missing(
                ping.name, f"{ping.name} has left a ping unanswered for {silent_s:.2f} s of {ping.within_s:g}"
            )
    return None
