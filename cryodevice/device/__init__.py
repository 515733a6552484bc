"""The wand as the daemon sees it: one protocol, ``Wand``, and what speaks it over each wire."""

from cryodevice.device.wand import Counters, Wand

__all__ = ["Counters", "Wand"]
