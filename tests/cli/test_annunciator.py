"""What a watcher shows and rings: bursts by priority, colour beside a word, its own alarm without a daemon."""

import itertools

import pytest

from cryodevice.cli.alarm_text import alarm_lines, in_short
from cryodevice.cli.annunciator import PULSE_S, Bell, heard, priority_unwatched, style_of
from cryodevice.safety.alarm_table import PATTERNS, Priority


def rung(priority: str, seconds: float, bell: Bell | None = None, occurrence: int = 1, began_s: float = 0.0):
    """Moments at which the bell rings, looked at each fiftieth of a second."""
    bell = bell or Bell()
    moments = [began_s + step * 0.02 for step in range(int(seconds / 0.02))]
    return [round(at, 2) for at in moments if bell.rings(priority, occurrence, at)]


@pytest.mark.parametrize(("priority", "bursts"), [("high", 3), ("medium", 2), ("low", 1)])
def test_bursts_are_those_of_the_priority(priority: str, bursts: int) -> None:
    pattern = PATTERNS[Priority[priority.upper()]]
    moments = rung(priority, 15.0)
    assert len(moments) == bursts * pattern.pulses
    assert moments[0] == 0.0
    assert pattern.pulses == 1 or moments[1] - moments[0] == pytest.approx(PULSE_S, abs=0.03)
    if bursts > 1:
        assert moments[pattern.pulses] == pytest.approx(pattern.repeat_s, abs=0.03)


def test_a_new_occurrence_is_rung_at_once_and_silence_is_silent() -> None:
    bell = Bell()
    assert rung("low", 1.0, bell) == [0.0]
    assert rung("", 1.0, bell, began_s=1.0) == []
    assert rung("low", 1.0, bell, began_s=2.0) == [2.0]
    assert rung("low", 1.0, bell, occurrence=2, began_s=3.0) == [3.0]
    assert rung("high", 0.1, bell, occurrence=2, began_s=4.0) == [4.0]


@pytest.mark.parametrize(("priority", "hz", "duty"), [("high", 2.5, 0.5), ("medium", 0.5, 0.5), ("low", 0.0, 1.0)])
def test_flashing_is_within_the_note_and_the_word_keeps_its_colour(priority: str, hz: float, duty: float) -> None:
    styles = [style_of(priority, step * 0.01) for step in range(1000)]
    lit = [style.endswith("reverse") for style in styles]
    assert sum(lit) / len(lit) == pytest.approx(duty, abs=0.02)
    assert sum(now and not before for before, now in itertools.pairwise(lit)) in (
        round(10 * hz) - 1,
        round(10 * hz),
    )
    assert all(PATTERNS[Priority[priority.upper()]].colour in style for style in styles)
    assert style_of("", 1.0) == ""


def status(state: str = "idle", sounding: str | None = None, *, ok: bool = True, stalled: bool = False, **alarm):
    one = {
        "alarm": "fan_stopped",
        "cause": "fan",
        "priority": "high",
        "occurrence": 7,
        "says": "the fan stands still",
        "hint": "clear it",
        "present": True,
        "acknowledged": False,
        "sounding": True,
        "clears": "the fan turns, then acknowledge",
    }
    standing = [one | alarm] if alarm or sounding else []
    return {
        "session": {"state": state},
        "monitoring": {"ok": ok, "why": "" if ok else "the loop stands", "priority": "high", "stalled": stalled},
        "alarms": {"sounding": sounding, "pause_left_s": 0.0, "standing": standing},
    }


def test_what_is_heard() -> None:
    quiet = status()
    assert heard(None, None, connected=True) == ("", 0)
    assert heard(quiet, quiet, connected=True) == ("", 0)
    assert heard(status(sounding="high"), quiet, connected=True) == ("high", 7)
    stalled = status("applying", ok=False, stalled=True)
    assert heard(stalled, stalled, connected=True) == ("high", 0), "it can tell of no alarm"
    assert heard(None, quiet, connected=False) == ("medium", 0)
    assert heard(None, status("paused"), connected=False) == ("high", 0)
    assert priority_unwatched(None) == "high", "nobody knows"


def test_the_lines_say_priority_state_and_way_out_in_words() -> None:
    said = "ALARM     HIGH   the fan stands still (fan: clear it); present, sounding; clears: "
    said += "the fan turns, then acknowledge"
    assert alarm_lines(status(sounding="high")) == [("high", said)]
    assert "; past, sounding;" in alarm_lines(status(sounding="high", present=False))[0][1]
    acknowledged = status(acknowledged=True)
    acknowledged["alarms"]["standing"][0]["sounding"] = False
    assert "; present, acknowledged;" in alarm_lines(acknowledged)[0][1]
    acknowledged["alarms"]["standing"][0]["acknowledged"] = False
    acknowledged["alarms"]["pause_left_s"] = 84.0
    first, last = alarm_lines(acknowledged)
    assert "; present, paused;" in first[1]
    assert last == ("", "audio     paused, 84 s left, then it sounds again")
    many = status(sounding="high")
    many["alarms"]["standing"] *= 10
    assert alarm_lines(many)[-1] == ("", "ALARM     and 2 more")
    assert alarm_lines(status(ok=False))[0] == ("high", "ALARM     HIGH   NOT MONITORING: the loop stands")


def test_in_short() -> None:
    assert in_short(status()) == ""
    assert in_short(status(sounding="high")) == "ALARM HIGH fan"
    assert in_short(status(sounding="high", ok=False)) == "NOT MONITORING"
