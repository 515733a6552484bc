"""The physics of the wand and of the skin under it. Knows no registers, leases or cut-outs; time is an argument."""

from firmware_sim.plant.disturbances import Disturbances
from firmware_sim.plant.dose import ZoneTruth
from firmware_sim.plant.hand import Habits, Hand
from firmware_sim.plant.individual import Individual, drawn
from firmware_sim.plant.plant import Plant
from firmware_sim.plant.sensors import Samples
from firmware_sim.plant.truth import Truth

__all__ = ["Disturbances", "Habits", "Hand", "Individual", "Plant", "Samples", "Truth", "ZoneTruth", "drawn"]
