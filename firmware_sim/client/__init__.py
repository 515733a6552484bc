"""The other end: starts a simulated wand as a process and controls it. Standard library only; knows no physics."""

from firmware_sim.client.control_client import ControlClient, ControlError
from firmware_sim.client.running_wand import LINKS, RunningWand, WandStartError

__all__ = ["LINKS", "ControlClient", "ControlError", "RunningWand", "WandStartError"]
