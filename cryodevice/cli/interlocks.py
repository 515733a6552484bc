"""``cryodevice interlocks``: the interlock table as it is in force under these settings."""

import argparse
import json
import math

from cryodevice.cli.configuration import settings_for
from cryodevice.errors import ExitCode
from cryodevice.safety.interlocks import TABLE, Interlock
from cryodevice.safety.limits import Limits, Zone
from cryodevice.safety.phases import ALWAYS


def _row(row: Interlock, limits: Limits) -> dict[str, object]:
    low, high = row.safe(limits, Zone.LEFT_CHEEK)
    return {
        "id": row.id,
        "hazard": row.hazard,
        "states": ["always"] if row.states == ALWAYS else sorted(state.value for state in row.states),
        "fact": row.fact,
        "safe_low": low if math.isfinite(low) else None,
        "safe_high": high if math.isfinite(high) else None,
        "unit": row.unit,
        "dwell_s": row.dwell.value,
        "action": row.action.name.lower(),
        "clears": row.clear.value,
        "hint": row.hint,
        "source": row.source,
    }


def _span(row: dict[str, object]) -> str:
    low, high, unit = row["safe_low"], row["safe_high"], str(row["unit"])
    if not unit and low == high:
        return "yes"
    if low is None:
        return f"<= {high:g} {unit}"
    return f">= {low:g} {unit}" if high is None else f"{low:g} ... {high:g} {unit}"


def main(options: argparse.Namespace) -> ExitCode:
    """Print the table."""
    settings = settings_for(options.config)
    rows = [_row(row, settings.limits) for row in TABLE]
    if options.json:
        print(json.dumps(rows, indent=2, allow_nan=False))
        return ExitCode.FINE
    print(f"interlocks in force ({settings.source}); the strongest action wins: warn < hold < stop < lockout")
    print("limits that differ by zone are those of a cheek\n")
    for row in rows:
        states = row["states"]
        where = ", ".join(states) if isinstance(states, list) else ""
        print(f"{row['id']:22}{row['action']:10}after {row['dwell_s']:g} s, clears {row['clears']}  [{row['hazard']}]")
        print(f"    safe while {row['fact']}: {_span(row)}")
        print(f"    in {where}")
        print(f"    -> {row['hint']}  ({row['source']})")
    return ExitCode.FINE
