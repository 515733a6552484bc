"""``cryodevice program list | show | check``: what there is, what it comes to, and what the skin makes of it at worst.

Runs nothing on any wand. ``refusals`` is also what ``cryodevice treat`` asks before it asks the daemon.
"""

import argparse
import json
import math
from dataclasses import asdict
from typing import Any

from cryodevice.cli.configuration import settings_for
from cryodevice.errors import ExitCode
from cryodevice.safety.limits import Limits
from cryodevice.settings.program_file import Filed, load_program, named, shipped
from cryodevice.treatment.forecast import Forecast, Margin, forecast
from cryodevice.treatment.program import Treatment, objections
from cryodevice.treatment.programs import ProgramStep, spread

ASSUMED = (
    "worst case of a tissue model, an assumption: skin at 28 degC, plate 0.5 K colder than ordered, gel, little blood"
)


def main(options: argparse.Namespace) -> ExitCode:
    """List, show or check."""
    if options.action == "list":
        return _list(options)
    filed = load_program(named(options.program))
    return _show(filed, options) if options.action == "show" else _check(filed, options)


def refusals(filed: Filed, limits: Limits) -> list[str]:
    """Why a program may not run under these limits, each with its line; empty when it may."""
    treatment = spread(filed.program)
    against = objections(treatment, limits)
    if against:
        return [f"{filed.source}: {one}" for one in against]
    return [f"{filed.source}: {_said(filed, treatment, margin)}" for margin in forecast(treatment, limits).broken]


def _said(filed: Filed, treatment: Treatment, margin: Margin) -> str:
    contact = treatment.steps[margin.step]
    line = filed.line(contact.part)
    side = "at least" if margin.unit == "degC" else "at most"
    limit = f"{margin.limit:g} {margin.unit}"
    what = f"{margin.rule} would act: {margin.value:.1f} {margin.unit}, and it must be {side} {limit}"
    if margin.rule == "cycle_gate":
        what = f"{contact.zone} would not be back at 15 degC in {margin.limit:g} s, and the step would end"
    return f"line {line}: step {contact.part} ({contact.zone}): {what}"


def _list(options: argparse.Namespace) -> ExitCode:
    programs = {path.stem: load_program(path) for path in sorted(shipped().glob("*.toml"))}
    if options.json:
        rows = [{"name": name, "goal": filed.program.goal, "file": filed.source} for name, filed in programs.items()]
        print(json.dumps(rows, indent=2))
        return ExitCode.FINE
    for name, filed in programs.items():
        treatment = spread(filed.program)
        contact_s = sum(step.hold_s for step in treatment.steps)
        print(
            f"{name:14}{len(treatment.steps):3} contacts, {contact_s:4.0f} s of contact  {filed.program.goal}".rstrip()
        )
    print("\nto see one: cryodevice program show NAME; to run one: cryodevice treat NAME")
    return ExitCode.FINE


def _show(filed: Filed, options: argparse.Namespace) -> ExitCode:
    program, treatment = filed.program, spread(filed.program)
    if options.json:
        contacts = [asdict(step) for step in treatment.steps]
        tree = {"name": program.name, "goal": program.goal, "file": filed.source, "steps": _steps(filed)}
        print(json.dumps({**tree, "contacts": contacts}, indent=2, allow_nan=False))
        return ExitCode.FINE
    print(f"{program.name}  ({filed.source})")
    if program.goal:
        print(program.goal)
    for number, step in enumerate(program.steps, start=1):
        print(f"  step {number}: {_step(step)}")
    print(f"comes to {len(treatment.steps)} contacts, {sum(step.hold_s for step in treatment.steps):g} s in all")
    return ExitCode.FINE


def _steps(filed: Filed) -> list[dict[str, Any]]:
    return [asdict(step) for step in filed.program.steps]


def _step(step: ProgramStep) -> str:
    how = "gliding" if step.glide else "at rest"
    text = f"{', '.join(step.zones)}: {step.plate_degc:g} degC for {step.hold_s:g} s {how}"
    if step.cycles == 1:
        return f"{text}, then {step.rewarm_s:g} s off the skin"
    kind = f"{step.rewarm_s:g} s of rewarming between" if step.cycling else f"pauses of {step.rewarm_s:g} s"
    return f"{text}, {step.cycles} times with {kind}"


def _check(filed: Filed, options: argparse.Namespace) -> ExitCode:
    limits = settings_for(options.config).limits
    treatment = spread(filed.program)
    against = objections(treatment, limits)
    found = forecast(treatment, limits) if not against else Forecast()
    refused = refusals(filed, limits)
    if options.json:
        print(json.dumps(_tree(filed, found, refused), indent=2, allow_nan=False))
        return ExitCode.REFUSED if refused else ExitCode.FINE
    print(f"{filed.program.name}  ({filed.source})")
    for zone, had in found.zones.items():
        print(
            f"\n{zone}: skin to {had.lowest_skin_degc:.1f} degC, fat boundary to {had.lowest_fat_degc:.1f} degC;"
            f" contact {had.contact_s:.0f} s, below 15 degC {had.below_15_s:.0f} s,"
            f" below 10 degC {had.below_10_s:.0f} s,"
            f" D10 {had.d10_degc_s:.0f} degC*s"
        )
        for margin in found.margins.values():
            if margin.zone is zone:
                print(_line(margin))
    for margin in found.margins.values():
        if margin.zone is None:
            print(f"\nthe session\n{_line(margin)}")
    if found.zones:
        print(f"\ncontact and rewarming last {found.lasts_s:.0f} s; {ASSUMED}")
    for reason in refused:
        print(f"refused: {reason}")
    if not refused:
        print("within every limit")
    return ExitCode.REFUSED if refused else ExitCode.FINE


def _line(margin: Margin) -> str:
    mark = " " if margin.kept else "!"
    return (
        f"  {mark} {margin.rule:16}{margin.value:8.1f} of {margin.limit:6g} {margin.unit:7} {margin.left:+8.1f} left"
        f"  (contact {margin.step + 1})"
    )


def _tree(filed: Filed, found: Forecast, refused: list[str]) -> dict[str, Any]:
    return {
        "name": filed.program.name,
        "file": filed.source,
        "permitted": not refused,
        "refused": refused,
        "assumed": ASSUMED,
        "lasts_s": round(found.lasts_s, 2),
        "zones": {
            zone.value: {name: round(value, 3) for name, value in asdict(had).items() if math.isfinite(value)}
            for zone, had in found.zones.items()
        },
        "margins": [
            {
                "rule": margin.rule,
                "zone": margin.zone.value if margin.zone is not None else None,
                "contact": margin.step + 1,
                "value": round(margin.value, 3),
                "limit": margin.limit,
                "unit": margin.unit,
                "left": round(margin.left, 3),
            }
            for margin in found.margins.values()
        ],
    }
