"""The life of alarms: condition, occurrence, signal. Pure; what raises which alarm stands in ``alarm_table``.

A *condition* is present or not, and nobody but the world changes that. An *occurrence* begins when a condition comes
and ends when it has gone and, if it latches, a person has acknowledged it. The *signal* is what is seen and heard of
it: every standing occurrence is seen; which is heard, ``sounding`` says. Makes no sound and knows no clock.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cryodevice.quantities import Seconds
from cryodevice.safety.alarm_table import BY_CAUSE, UNLISTED, Alarm, Latch, Priority
from cryodevice.safety.replacing import replace

PAUSE_S = 120.0
"""Longest audio pause, s (clinical note 6.1)."""
SOUNDS_AGAIN_S = 5.0
"""After a pause an alarm sounds this long before it may be paused again, s: one burst of every priority that repeats
so soon is heard (engineering default)."""
SHOWN_S = 5.0
"""An occurrence that nobody acknowledged stands this long after its condition was last present, s: a limit that ends
its own session is safe again within a tick, and must still be noticed (engineering default)."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that is wrong now: since when, and what a person does about it."""

    since_s: Seconds
    says: str


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One alarm that stands.

    Args:
        number: Counts occurrences, across restarts.
        alarm: Its row.
        cause: Interlock, event or condition that raised it.
        priority: Never lower than it was.
        latched: It stays until acknowledged.
        says: What a person does about it.
        began_s: When it was raised.
        seen_s: When its condition was last present.
        present: Its condition is present.
        acknowledged: A person has seen it.
        silent_until_s: Its sound is paused until then; -inf never was.
    """

    number: int
    alarm: Alarm
    cause: str
    priority: Priority
    latched: bool
    says: str
    began_s: Seconds
    seen_s: Seconds
    present: bool = True
    acknowledged: bool = False
    silent_until_s: float = -math.inf

    def paused(self, now_s: float) -> bool:
        """Whether its sound is paused."""
        return now_s < self.silent_until_s

    def sounding(self, now_s: float) -> bool:
        """Whether it is heard. Acknowledged ones are not, but for a high one whose condition is still present."""
        wanted = not self.acknowledged or (self.present and self.priority is Priority.HIGH)
        return wanted and not self.paused(now_s)


@dataclass(frozen=True, slots=True)
class Alarms:
    """All that is remembered between two ticks.

    Args:
        now_s: Second of the newest change; time does not go back.
        standing: Occurrences, the most urgent first, then the earliest.
        count: Occurrences so far.
    """

    now_s: float = -math.inf
    standing: tuple[Occurrence, ...] = ()
    count: int = 0


class Change(StrEnum):
    """What may happen to an occurrence."""

    RAISED = "raised"
    CONDITION_ENDED = "condition_ended"
    OVER = "over"
    ACKNOWLEDGED = "acknowledged"
    PAUSED = "paused"
    RESUMED = "resumed"


Changes = tuple[tuple[Change, Occurrence], ...]


def followed(alarms: Alarms, causes: Mapping[str, Cause], now_s: Seconds, *, treating: bool) -> tuple[Alarms, Changes]:
    """One tick.

    Args:
        alarms: What was remembered.
        causes: What is wrong now, by the name of interlock, event or condition.
        now_s: Monotonic second.
        treating: A session is under way, or was a moment ago.

    Returns:
        What to remember and what has changed.
    """
    if not causes and not alarms.standing:
        return alarms, ()
    now = Seconds(max(now_s, alarms.now_s))
    changes: list[tuple[Change, Occurrence]] = []
    standing: list[Occurrence] = []
    count = alarms.count
    known = {one.cause: one for one in alarms.standing}
    for name, cause in causes.items():
        alarm, before = BY_CAUSE.get(name, UNLISTED), known.pop(name, None)
        priority = alarm.treating if treating else alarm.idle
        if before is not None and before.present and priority <= before.priority:
            standing.append(_resumed(replace(before, seen_s=now), alarms.now_s, now, changes))
        elif now - cause.since_s >= (alarm.delay_s if treating else alarm.idle_delay_s):
            count += 1
            latched = alarm.latch is Latch.YES or (alarm.latch is Latch.TREATING and treating)
            if before is not None:
                priority, latched = max(priority, before.priority), latched or before.latched
            standing.append(Occurrence(count, alarm, name, priority, latched, cause.says, now, now))
            changes.append((Change.RAISED, standing[-1]))
        elif before is not None:  # it comes again and has not lasted yet: for now it is as gone as it was
            known[name] = before
    for gone in known.values():
        one = _resumed(gone, alarms.now_s, now, changes)
        if one.present:
            one = replace(one, present=False)
            changes.append((Change.CONDITION_ENDED, one))
        if _over(one, now):
            changes.append((Change.OVER, one))
        else:
            standing.append(one)
    standing.sort(key=lambda one: (-one.priority, one.number))
    return Alarms(now, tuple(standing), count), tuple(changes)


def acknowledged(alarms: Alarms, now_s: Seconds, which: str = "", *, past_only: bool = False) -> tuple[Alarms, Changes]:
    """A person has seen what stands; ``which`` names a row or a cause, empty means all.

    ``past_only`` leaves out what is present.
    An occurrence whose condition is present goes on standing, and a high one sounds again after the pause. One whose
    condition has gone is over.
    """
    now = Seconds(max(now_s, alarms.now_s))
    changes: list[tuple[Change, Occurrence]] = []
    standing: list[Occurrence] = []
    for before in alarms.standing:
        one = before
        named = which in ("", one.alarm.id, one.cause) and not (past_only and one.present)
        if named and (not one.acknowledged or one.sounding(now)):
            one = _silenced(replace(one, acknowledged=True), now)
            changes.append((Change.ACKNOWLEDGED, one))
        if _over(one, now):
            changes.append((Change.OVER, one))
        else:
            standing.append(one)
    return replace(alarms, now_s=now, standing=tuple(standing)), tuple(changes)


def audio_paused(alarms: Alarms, now_s: Seconds) -> tuple[Alarms, Changes]:
    """Pause the sound of what sounds now, for ``PAUSE_S`` and no longer; what comes later sounds."""
    now = Seconds(max(now_s, alarms.now_s))
    standing = tuple(_silenced(one, now) if one.sounding(now) else one for one in alarms.standing)
    changes = tuple(
        (Change.PAUSED, one) for one, before in zip(standing, alarms.standing, strict=True) if one is not before
    )
    return replace(alarms, now_s=now, standing=standing), changes


def resumed(left: tuple[Occurrence, ...], count: int) -> Alarms:
    """Memory after a restart: what latched and nobody acknowledged stands again, unheard of by anyone, and sounds."""
    again = (replace(one, present=False, acknowledged=False, silent_until_s=-math.inf, latched=True) for one in left)
    standing = sorted(again, key=lambda one: (-one.priority, one.number))
    return Alarms(standing=tuple(standing), count=max([count, *(one.number for one in left)]))


def loudest(alarms: Alarms, now_s: Seconds) -> Priority | None:
    """The priority to be sounded now."""
    return next((one.priority for one in alarms.standing if one.sounding(now_s)), None)


def pause_left_s(alarms: Alarms, now_s: Seconds) -> float:
    """Seconds until the next paused sound comes back; 0 when none is paused."""
    return min((one.silent_until_s - now_s for one in alarms.standing if one.paused(now_s)), default=0.0)


def _over(one: Occurrence, now_s: float) -> bool:
    if one.present:
        return False
    return one.acknowledged or (not one.latched and now_s - one.seen_s >= SHOWN_S)


def _silenced(one: Occurrence, now_s: float) -> Occurrence:
    """Without its sound for a while; unchanged if it has not been heard long enough since the last time."""
    if now_s < one.silent_until_s + SOUNDS_AGAIN_S:
        return one
    return replace(one, silent_until_s=now_s + PAUSE_S)


def _resumed(one: Occurrence, before_s: float, now_s: float, changes: list[tuple[Change, Occurrence]]) -> Occurrence:
    if before_s < one.silent_until_s <= now_s and one.sounding(now_s):
        changes.append((Change.RESUMED, one))
    return one
