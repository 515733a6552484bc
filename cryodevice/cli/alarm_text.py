"""The alarms of a status as lines a person reads: the priority is always a word, colour only stands beside it."""

from collections.abc import Mapping
from typing import Any

NOT_MONITORING = "NOT MONITORING"
_STANDING_SHOWN = 8


def alarm_lines(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Priority (empty for none) and words of each line; the most urgent first."""
    lines = []
    if not (monitoring := status["monitoring"])["ok"]:
        lines.append(unwatched(monitoring["priority"], monitoring["why"]))
    alarms = status["alarms"]
    standing = alarms["standing"]
    lines += [(alarm["priority"], _line(alarm)) for alarm in standing[:_STANDING_SHOWN]]
    if len(standing) > _STANDING_SHOWN:
        lines.append(("", f"ALARM     and {len(standing) - _STANDING_SHOWN} more"))
    if alarms["pause_left_s"]:
        lines.append(("", f"audio     paused, {alarms['pause_left_s']:.0f} s left, then it sounds again"))
    return lines


def unwatched(priority: str, why: str) -> tuple[str, str]:
    """Priority and words of the alarm that nobody guards the wand."""
    return priority, f"ALARM     {priority.upper():6} {NOT_MONITORING}: {why}"


def _line(alarm: Mapping[str, Any]) -> str:
    condition = "present" if alarm["present"] else "past"
    heard = "sounding" if alarm["sounding"] else "acknowledged" if alarm["acknowledged"] else "paused"
    what = f"{alarm['priority'].upper():6} {alarm['says']} ({alarm['cause']}: {alarm['hint']})"
    return f"ALARM     {what}; {condition}, {heard}; clears: {alarm['clears']}"


def in_short(status: Mapping[str, Any]) -> str:
    """The most urgent in a few words, for one line; empty when there is none."""
    if not status["monitoring"]["ok"]:
        return NOT_MONITORING
    standing = status["alarms"]["standing"]
    return f"ALARM {standing[0]['priority'].upper()} {standing[0]['cause']}" if standing else ""
