"""The physics of the wand and of the skin under it. Knows no registers, leases or cut-outs; time is an argument."""

from firmware_sim.plant.disturbances import Disturbances
from firmware_sim.plant.plant import Plant, Truth
from firmware_sim.plant.sensors import Samples

__all__ = ["Disturbances", "Plant", "Samples", "Truth"]
