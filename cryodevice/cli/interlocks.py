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
    from rich.console import Console  # noqa: PLC0415  # only this branch draws
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=f"interlocks in force ({settings.source}); zone limits for a cheek", show_lines=False)
    for name in ("interlock", "safe while", "in states", "dwell", "action", "clears", "what to do"):
        table.add_column(name, overflow="fold")
    for row in rows:
        states = row["states"]
        table.add_row(
            str(row["id"]),
            f"{row['fact']} {_span(row)}".strip(),
            ", ".join(states) if isinstance(states, list) else "",
            f"{row['dwell_s']:g} s",
            str(row["action"]),
            str(row["clears"]),
            str(row["hint"]),
        )
    Console().print(table)
    return ExitCode.FINE
