"""Heat in living tissue under a surface: a 1-D Pennes solver. Pure numbers, no I/O, no clock.

The estimator of the daemon and the plant of the simulator both use it, each on its own grid and time step.
"""

from cryodevice.bioheat.exact import ExactStep, exact_step
from cryodevice.bioheat.grid import Grid, Probe
from cryodevice.bioheat.layers import CHEEK, ZONES, Layer, Tissue, face
from cryodevice.bioheat.perfusion import CONSTRICTING_LAYERS, perfusion_factor
from cryodevice.bioheat.solver import Propagator, propagator

__all__ = [
    "CHEEK",
    "CONSTRICTING_LAYERS",
    "ZONES",
    "ExactStep",
    "Grid",
    "Layer",
    "Probe",
    "Propagator",
    "Tissue",
    "exact_step",
    "face",
    "perfusion_factor",
    "propagator",
]
