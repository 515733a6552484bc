"""Scenarios: a timeline of hand, room and faults, and what must come of it, in a TOML file.

They know the wand only. Who guards it is either the built-in host, which keeps the rules of the lease and nothing else,
or a daemon that somebody above runs on the same timeline.
"""

from firmware_sim.scenarios.expectations import Judged
from firmware_sim.scenarios.load import ScenarioError, load
from firmware_sim.scenarios.model import Action, Expectation, HostPlan, Scenario, Step, WandPlan
from firmware_sim.scenarios.run import Result, run
from firmware_sim.scenarios.watch import Watch

__all__ = [
    "Action",
    "Expectation",
    "HostPlan",
    "Judged",
    "Result",
    "Scenario",
    "ScenarioError",
    "Step",
    "WandPlan",
    "Watch",
    "load",
    "run",
]
