"""Virtual time: an event loop whose clock is an argument, and lines in memory that carry the same bytes as real ones.

The host's end of a line has the shape of the daemon's own ``Link`` without importing it.
"""

from firmware_sim.virtual.accounted_link import AccountedLink
from firmware_sim.virtual.loop import BEGAN_S, DeadlockError, VirtualLoop, run
from firmware_sim.virtual.memory_link import MemoryLink
from firmware_sim.virtual.trace import Trace
from firmware_sim.virtual.wand import VirtualWand

__all__ = ["BEGAN_S", "AccountedLink", "DeadlockError", "MemoryLink", "Trace", "VirtualLoop", "VirtualWand", "run"]
