"""``cryodevice alarms``: the alarm table, as text, as JSON, as the page docs/alarms.md; or lines of the alarm log."""

import argparse
import json
import time
from dataclasses import asdict
from typing import Final

from cryodevice.app import ALARM_LOG_NAME
from cryodevice.cli.configuration import settings_for
from cryodevice.errors import ExitCode
from cryodevice.records.alarm_log import newest
from cryodevice.runtime.ports import AlarmEntry
from cryodevice.safety.alarm_table import ALARMS, NO_ALARM, PATTERNS, Alarm
from cryodevice.safety.alarms import PAUSE_S, SHOWN_S, SOUNDS_AGAIN_S

_HEAD: Final = """\
# Alarms

What a person must hear of, how urgently, and what ends it. *Generated*: `cryodevice alarms --markdown >
docs/alarms.md`; a test holds this page to the program. Why it is so: [decision 0021](decisions/0021-alarms.md).

The daemon makes no sound and is no certified alarm system. It keeps the alarms; `cryodevice watch` shows and sounds
them, `cryodevice status` and the MQTT topic `state` show them. MQTT is never the only path: what hangs on a broker
can be away when it is needed.

## Words

- A **condition** is present or not. Only the world ends it; no command does.
- An **occurrence** begins when a condition comes, and is counted. It ends when the condition has gone and, if it
  *latches*, a person has acknowledged it. A condition that comes back is a new occurrence. One that nobody
  acknowledged stands for {shown:g} s at least.
- The **signal** is what is seen and heard. Every standing occurrence is seen, by a word and a colour, the most urgent
  first.
- **Acknowledge** says that somebody has seen it. It is not *clear*: a condition that is present stays, and one of
  high priority sounds again after {pause:g} s. Nor is it a reset: a lockout wants `cryodevice reset`, which
  acknowledges what is past.
- **Audio pause** silences what sounds at that moment for {pause:g} s; asking again makes it no longer. What comes
  during it sounds. After a pause an alarm sounds for {again:g} s before it may be paused anew. The daemon cannot be
  told to be silent for good.

```sh
cryodevice acknowledge                # all that stands
cryodevice acknowledge skin_too_cold  # one alarm, or one cause
cryodevice pause-audio
cryodevice alarms --log 20            # what became of alarms, also before the last restart
```

**Not monitoring** is itself an alarm. While a row marked *blind* is present, `status`, `watch` and `state` say NOT
MONITORING. When the daemon is gone nobody is left to say it: then `watch` says and sounds it (high, or medium if no
session was under way), `cryodevice status` ends with 1, and MQTT's last will makes `status` `offline`.

**Over a restart.** Every change is written to `alarms.db`, off the control loop, and never dropped while that file
can be written. What latched and was not acknowledged stands again after a restart, and sounds. A log that cannot be
read is put aside, and `alarm_log_lost` says so.

## Signals

| priority | colour | flashes a second | pulses of a burst | burst each, s |
|---|---|---|---|---|
"""
_TABLE_HEAD: Final = """\

On a terminal a pulse is its bell; whether a bell is heard is for the terminal to say. The word of the priority is
always there.

## Table

*Delay* is what comes on top of the interlock's own dwell. Two priorities: while a session is under way and for 2 s
after it / otherwise.

| alarm | says | priority | latches | condition ends when | raised by | delay, s | blind | source |
|---|---|---|---|---|---|---|---|---|
"""
_REST_HEAD: Final = """\

A15 of the clinical note (jet, gas in the room) has no row: the daemon drives no jet and has no such sensor.

## Events that raise none

| event | because |
|---|---|
"""


def main(options: argparse.Namespace) -> ExitCode:
    """Print what was asked for."""
    if options.log is not None:
        _print_log(options)
    elif options.markdown:
        print(markdown(), end="")
    elif options.json:
        print(json.dumps([_row(alarm) for alarm in ALARMS], indent=2))
    else:
        for alarm in ALARMS:
            print(f"{alarm.id:18}{_priorities(alarm):18}latches: {alarm.latch:15}{alarm.says}")
            print(f"    raised by {', '.join(alarm.causes)}  ({alarm.reference})")
            print(f"    ends when: {alarm.clears}")
    return ExitCode.FINE


def markdown() -> str:
    """The page docs/alarms.md."""
    signals = "".join(
        f"| {level.name.lower()} | {pattern.colour} | {f'{pattern.flash_hz:g}' if pattern.flash_hz else 'steady'} |"
        f" {pattern.pulses} | {f'{pattern.repeat_s:g}' if pattern.repeat_s else 'once'} |\n"
        for level, pattern in sorted(PATTERNS.items(), reverse=True)
    )
    rows = "".join(
        f"| `{alarm.id}` | {alarm.says} | {_priorities(alarm)} | {alarm.latch} | {alarm.clears} |"
        f" {', '.join(f'`{cause}`' for cause in alarm.causes)} | {_delays(alarm)} | {'yes' if alarm.blind else ''} |"
        f" {alarm.reference} |\n"
        for alarm in ALARMS
    )
    rest = "".join(f"| `{kind}` | {why} |\n" for kind, why in NO_ALARM.items())
    head = _HEAD.format(shown=SHOWN_S, pause=PAUSE_S, again=SOUNDS_AGAIN_S)
    return head + signals + _TABLE_HEAD + rows + _REST_HEAD + rest


def _row(alarm: Alarm) -> dict[str, object]:
    return {
        "alarm": alarm.id,
        "says": alarm.says,
        "priority_treating": alarm.treating.name.lower(),
        "priority_idle": alarm.idle.name.lower(),
        "latches": alarm.latch.value,
        "clears": alarm.clears,
        "causes": list(alarm.causes),
        "delay_s": alarm.delay_s,
        "idle_delay_s": alarm.idle_delay_s,
        "blind": alarm.blind,
        "source": alarm.reference,
    }


def _priorities(alarm: Alarm) -> str:
    treating, idle = alarm.treating.name.lower(), alarm.idle.name.lower()
    return treating if treating == idle else f"{treating} / {idle}"


def _delays(alarm: Alarm) -> str:
    treating, idle = f"{alarm.delay_s:g}", f"{alarm.idle_delay_s:g}"
    return treating if treating == idle else f"{treating} / {idle}"


def _print_log(options: argparse.Namespace) -> None:
    entries = newest(settings_for(options.config).state_dir / ALARM_LOG_NAME, max(0, options.log))
    if options.json:
        print(json.dumps([asdict(entry) for entry in entries], indent=2))
        return
    for entry in entries:
        print(_line(entry))


def _line(entry: AlarmEntry) -> str:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.wall_s))
    who = f" by {entry.who}" if entry.who else ""
    what = entry.what.replace("_", " ")
    return f"{at}  {entry.number:5}  {entry.priority:7}{what}{who}: {entry.alarm} ({entry.cause}: {entry.says})"
