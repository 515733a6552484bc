"""How much blood still flows through cold skin: one curve. Has no memory; hysteresis is the caller's to add.

The golden run of the tissue model takes this curve at once, both on cooling and on rewarming, in the layers named
here; muscle keeps its flow. Real vessels stay closed for longer (Khoshnevis 2015, 2016), which slows rewarming.
"""

from itertools import pairwise
from typing import Final

from cryodevice.quantities import finite

CONSTRICTING_LAYERS: Final = frozenset({"dermis", "fat"})
"""Layers whose vessels answer the cold."""

# Dermis temperature, degC, and share of the flow at rest: a fit to scalp data (Janssen 2007); on the face an
# engineering default.
_CURVE: Final = ((15.0, 0.25), (18.0, 0.28), (23.0, 0.40), (33.0, 1.0))
LEAST_FACTOR: Final = _CURVE[0][1]
"""Flow that cold skin keeps (scalp, 13 to 33 %: Janssen 2005)."""


def perfusion_factor(dermis_degc: float) -> float:
    """Share of the perfusion at rest that is left at a mean dermis temperature, 0.25...1.

    Straight lines between the points of the curve, constant outside them.

    Raises:
        QuantityError: ``dermis_degc`` is not finite.
    """
    finite(dermis_degc, "dermis_degc")
    if dermis_degc <= _CURVE[0][0]:
        return LEAST_FACTOR
    for (low, from_factor), (high, to_factor) in pairwise(_CURVE):
        if dermis_degc <= high:
            return from_factor + (to_factor - from_factor) * (dermis_degc - low) / (high - low)
    return _CURVE[-1][1]
