"""How an alarm is shown and heard on a terminal: colour and flashing by priority, the bell in bursts. Knows no daemon.

Patterns are those of ``safety.alarm_table``. The word is always there; only its colour flashes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryodevice.safety.alarm_table import PATTERNS, Priority
from cryodevice.safety.phases import TREATING

_TREATING = frozenset(state.value for state in TREATING)
PULSE_S = 0.2
"""From one pulse of a burst to the next, s: a redraw of the picture."""


def style_of(priority: str, now_s: float) -> str:
    """The style of a line of this priority at this moment; half of each flash it stands out."""
    if not priority:
        return ""
    pattern = PATTERNS[Priority[priority.upper()]]
    lit = pattern.flash_hz == 0.0 or (now_s * pattern.flash_hz) % 1.0 < 0.5
    return f"bold {pattern.colour} reverse" if lit else f"bold {pattern.colour}"


def heard(status: Mapping[str, Any] | None, last: Mapping[str, Any] | None, *, connected: bool) -> tuple[str, int]:
    """Priority to be sounded, empty for silence, and the occurrence it is for.

    Args:
        status: What the daemon says now.
        last: The last it ever said.
        connected: It answers.
    """
    if not connected or (status is not None and status["monitoring"]["stalled"]):
        return priority_unwatched(last), 0
    sounding = status["alarms"]["sounding"] if status is not None else None
    if status is None or sounding is None:
        return "", 0
    return sounding, max(alarm["occurrence"] for alarm in status["alarms"]["standing"] if alarm["sounding"])


def priority_unwatched(last: Mapping[str, Any] | None) -> str:
    """Priority of a daemon that says nothing: high unless no session was under way when it last spoke."""
    return "medium" if last is not None and last["session"]["state"] not in _TREATING else "high"


@dataclass(slots=True)
class Bell:
    """Bursts of a terminal's bell.

    A new occurrence begins its burst at once; the same one goes on in its rhythm.
    """

    _for: tuple[str, int] = ("", 0)
    _began_s: float = 0.0
    _rung: int = 0

    def rings(self, priority: str, occurrence: int, now_s: float) -> bool:
        """Whether a pulse is due now, of a burst that is under way or begins."""
        if not priority:
            self._for = ("", 0)
            return False
        pattern = PATTERNS[Priority[priority.upper()]]
        over = pattern.repeat_s > 0.0 and now_s - self._began_s >= pattern.repeat_s
        if (priority, occurrence) != self._for or over:
            self._for, self._began_s, self._rung = (priority, occurrence), now_s, 0
        if self._rung < pattern.pulses and now_s - self._began_s >= self._rung * PULSE_S - 1e-6:
            self._rung += 1
            return True
        return False
