"""How the vessels of a zone follow the cold: they close within a minute and open within the hour. No heat in here."""

import math
from dataclasses import dataclass

from cryodevice.bioheat import perfusion_factor
from cryodevice.bioheat.perfusion import LEAST_FACTOR
from cryodevice.quantities import finite


@dataclass(frozen=True, slots=True)
class Vessels:
    """How far and how fast one person's vessels close.

    The flow goes to what the curve of ``cryodevice.bioheat.perfusion`` has for the dermis, by e in ``closing_s`` on the
    way down and in ``opening_s`` on the way up: so skin that has been cold stays badly perfused while it is warm again
    (Khoshnevis 2015, 2016: reduced for two hours after an hour of cooling).

    Args:
        least: Share of the resting flow that cold skin keeps, 0...1; 0.25, in people 0.13 to 0.33 (Janssen 2005).
        closing_s: Time constant of closing, s, >= 0; 60 s (clinical note 3.1, engineering default). 0: at once.
        opening_s: Time constant of opening, s, >= 0; 1200 s, the shortest that the note allows. 0: at once.

    Raises:
        QuantityError: A number is not finite or not in its range.
    """

    least: float = LEAST_FACTOR
    closing_s: float = 60.0
    opening_s: float = 1200.0

    def __post_init__(self) -> None:
        finite(self.least, "least", 0.0, 1.0)
        finite(self.closing_s, "closing_s", 0.0, 86400.0)
        finite(self.opening_s, "opening_s", 0.0, 86400.0)

    def wanted(self, dermis_degc: float) -> float:
        """Share of the resting flow at which these vessels come to rest in a dermis of this mean temperature."""
        return 1.0 - (1.0 - perfusion_factor(dermis_degc)) * (1.0 - self.least) / (1.0 - LEAST_FACTOR)

    def gains(self, dt_s: float) -> tuple[float, float]:
        """Share of the way that is gone in ``dt_s``: closing, opening."""
        closing, opening = (
            1.0 if constant == 0.0 else -math.expm1(-dt_s / constant) for constant in (self.closing_s, self.opening_s)
        )
        return closing, opening


TYPICAL = Vessels()
"""Those of the typical person."""
AT_ONCE = Vessels(closing_s=0.0, opening_s=0.0)
"""Vessels without memory, as the golden run has them."""
