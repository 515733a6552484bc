"""The catalogue for people and programs: as text, as JSON, as the page docs/faults.md. Reads it; changes nothing."""

from collections.abc import Iterator
from typing import Any, Final

from firmware_sim.faults.catalogue import CATALOGUE
from firmware_sim.faults.kinds import FaultKind
from firmware_sim.faults.parameters import Parameter, written

_PLACES: Final = {
    "sensor": "Sensors and inputs",
    "actuator": "Actuators",
    "power": "Power",
    "firmware": "Firmware",
    "link": "Link and second master",
}
_HEAD: Final = """\
# Faults

Every fault that `firmware_sim` can be given, by name. *Generated*: `firmware-sim faults --markdown > docs/faults.md`; a
test holds this page to the program. *Rows* are those of the fault matrix (S sensors, A actuators and power, L link,
P protocol, F firmware; X02 is two daemons on one wand).

**Injecting.** With a wand at `firmware-sim serve --control 127.0.0.1:4358`:

```
curl --json '{"name": "bit_errors", "values": {"rate": 1e-3, "direction": "both"}, "duration_s": 5}' http://127.0.0.1:4358/faults
curl --json '{"name": "plate_drift", "values": {"channel": "b", "rate_k_s": 0.1}, "start_s": 12.5}' http://127.0.0.1:4358/faults
curl --json '{"name": "plate_spike"}' http://127.0.0.1:4358/faults
curl http://127.0.0.1:4358/faults
curl -X DELETE http://127.0.0.1:4358/faults/2
curl -X DELETE http://127.0.0.1:4358/faults
```

In Python: `simulator.faults.inject(injection("late_replies", {"delay_ms": 450}, count=3))`; the id it returns is for
`clear`. Every fault also takes `start_s` (simulated time, a time that has passed means now), `duration_s` and `count`:
after so many times that it made a difference it ends by itself (one that acts more often than once in a firmware tick
may go a little beyond). A fault that happens once has the count 1 unless it is given another.

**What counts.** `fired` in `/faults`, and `simulator.faults.fired(name)`, count how often the fault made a
difference: samples that became others, firmware ticks in which a switch mattered, replies that were a lie, frames that
were dropped, delayed or spoilt. A fault that never fired has shown nothing.

**Several at once.** Faults of sensors are filters of what the sensors measured, faults of the link filters of bytes,
one chain in each direction of each line; filters in force are passed in the order in which they came. All others hold
switches: of two on one switch the newest wins, the older comes back when it ends, and only the one that rules counts.
When the last lets go, a switch is what it was before the first. One that somebody has set by hand in the meantime
(`/disturbances`, `/quirks`) stays as he set it.

**Chance** comes from the wand's seed, the id of the fault and its line: the same seed and the same calls give the same
bytes. Faults begin and end at their own nanosecond of simulated time; the plant feels them in steps of 10 ms.

**Lines.** `line` (`all`, `serial`, `serial_tcp`, `modbus_rtu`, `modbus_tcp`, `memory`) picks the lines a fault of the
link is on; lines opened later have it too. A *frame* is what was sent at one go. Bytes never overtake bytes: what
follows a late reply waits for it, and bytes under way arrive though the fault is over. After `disconnect` a
pseudo-terminal has its name again only if it was given one (`--serial PATH`).

**From the start.** `firmware-sim serve --inject 'bit_errors rate=1e-3' --inject plate_spike` begins with them in force.
"""


def as_json() -> list[dict[str, Any]]:
    """One object a fault."""
    return [
        {
            "name": kind.name,
            "where": kind.where,
            "rows": list(kind.rows),
            "summary": kind.summary,
            "count": kind.count,
            "parameters": [_parameter(parameter) for parameter in kind.parameters],
        }
        for kind in CATALOGUE.values()
    ]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    ranged = not parameter.choices
    return {
        "name": parameter.name,
        "unit": parameter.unit or None,
        "default": parameter.default,
        "low": parameter.low if ranged else None,
        "high": parameter.high if ranged else None,
        "choices": list(parameter.choices) or None,
        "whole": parameter.whole,
    }


def as_text() -> str:
    """For a terminal."""
    return "\n".join(_text())


def _text() -> Iterator[str]:
    for place, title in _PLACES.items():
        yield f"{title}:"
        for kind in _at(place):
            yield f"  {kind.name}  [{' '.join(kind.rows)}]"
            yield f"      {kind.summary}"
            for parameter in kind.parameters:
                yield f"      {_default(parameter):<28} {_allowed(parameter)}"
        yield ""
    yield f"{len(CATALOGUE)} faults; each also takes start_s, duration_s and count."


def as_markdown() -> str:
    """The page docs/faults.md."""
    return "\n".join((_HEAD, *_markdown()))


def _markdown() -> Iterator[str]:
    for place, title in _PLACES.items():
        kinds = _at(place)
        yield f"## {title} ({len(kinds)})\n"
        yield "| fault | rows | what happens | parameters: default, allowed |"
        yield "|---|---|---|---|"
        for kind in kinds:
            shown = [parameter for parameter in kind.parameters if parameter.name != "line"]
            parameters = "<br>".join(f"`{_default(p)}` {_allowed(p)}".replace("|", "/") for p in shown)
            yield f"| `{kind.name}` | {' '.join(kind.rows)} | {kind.summary} | {parameters} |"
        yield ""


def _at(place: str) -> list[FaultKind]:
    return [kind for kind in CATALOGUE.values() if kind.where == place]


def _default(parameter: Parameter) -> str:
    return f"{parameter.name}={written(parameter.default)}"


def _allowed(parameter: Parameter) -> str:
    return f"{parameter.allowed} {parameter.unit}".rstrip()
