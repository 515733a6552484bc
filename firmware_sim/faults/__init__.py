"""Everything that can break on purpose, by name. Knows the plant and bytes; neither the firmware nor the ports."""

from firmware_sim.faults.bench import FaultBench
from firmware_sim.faults.catalogue import CATALOGUE
from firmware_sim.faults.injection import Injection, injection, injection_from_words
from firmware_sim.faults.kinds import FaultKind
from firmware_sim.faults.line import LineFaults
from firmware_sim.faults.parameters import FaultError, Parameter
from firmware_sim.faults.wand import Wand

__all__ = [
    "CATALOGUE",
    "FaultBench",
    "FaultError",
    "FaultKind",
    "Injection",
    "LineFaults",
    "Parameter",
    "Wand",
    "injection",
    "injection_from_words",
]
