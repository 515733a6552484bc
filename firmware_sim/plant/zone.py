"""One zone of skin in time: its cells, its vessels, its ice, its dose. Does not know where the wand is.

What touches the zone is a film and an environment; whoever moves the wand sets them, and the environment each step.
"""

from dataclasses import replace
from typing import Final

from cryodevice.bioheat.grid import Array
from firmware_sim.plant.body import BLOCK, DERMIS, ENVIRONMENT, FLUX, LEVELS, PIECE, SURFACE, Body
from firmware_sim.plant.dose import DT_S, WARMEST_COUNTED_DEGC, Dose, ZoneTruth, told
from firmware_sim.plant.ice import Ice
from firmware_sim.plant.vessels import Vessels

_STRIDE_ABOVE_DEGC: Final = WARMEST_COUNTED_DEGC + 1.0
"""A zone in air strides only where nothing that is counted can happen within a stride."""


class Zone:
    """State of one zone at sub-step ``at``.

    Args:
        body: Its tissue.
        vessels: How its blood flow follows the cold.
        film_w_m2k: Skin to air.
        rested_degc: Air in which it has come to rest.
        nucleates_degc: Surface temperature at which ice begins.

    Attributes:
        at: Sub-steps gone.
        surface_degc: Surface now.
        flow: Share of the resting blood flow of dermis and fat.
        touched: Whether the plate lies on it: its contact is counted.
        resting: Nothing has changed since it came to rest: it need not be moved at all.
        nucleates_degc: Surface temperature below which ice begins.
        dose: What has been done to it.
    """

    __slots__ = (
        *("_counts_below", "_film", "_gains", "_ice", "_level", "_matrix", "_met_at", "_peeked", "_spare", "_state"),
        *("_vessels", "at", "body", "dose", "flow", "nucleates_degc", "resting", "surface_degc", "touched"),
    )

    def __init__(
        self, body: Body, vessels: Vessels, film_w_m2k: float, rested_degc: float, nucleates_degc: float
    ) -> None:
        self.body = body
        self._vessels = vessels
        self._gains = vessels.gains(BLOCK * DT_S)
        self._state, self.flow = body.at_rest(film_w_m2k, rested_degc, vessels)
        self._spare = self._state.copy()
        self._film = film_w_m2k
        self._level = round(self.flow * LEVELS)
        self._matrix = body.step(self._level, film_w_m2k)
        self._ice: Ice | None = None
        self._peeked: Zone | None = None
        self.at = 0
        self.surface_degc = float(self._state[SURFACE])
        self.touched = False
        self._met_at = 0
        self.resting = self.surface_degc > _STRIDE_ABOVE_DEGC
        self.nucleates_degc = nucleates_degc
        self.dose = Dose(self.surface_degc)
        self._counts_below = max(self.surface_degc, WARMEST_COUNTED_DEGC)

    def lie(self, film_w_m2k: float, environment_degc: float, *, touched: bool) -> None:
        """Put this film and environment on it from now on."""
        if self.touched:
            self.dose.contact_steps += self.at - self._met_at
        self.touched, self._met_at = touched, self.at
        self.resting = self.resting and not touched and environment_degc == self._state[ENVIRONMENT]
        self._state[ENVIRONMENT] = environment_degc
        self._peeked = None
        if film_w_m2k != self._film:
            self._film = film_w_m2k
            self.resting = False
            self._matrix = self.body.step(self._level, film_w_m2k)
        share = self.body.share(film_w_m2k)
        self.surface_degc = share * self._state.item(0) + (1.0 - share) * environment_degc

    def step(self, environment_degc: float) -> float:
        """One sub-step; returns the mean heat flux out of the surface during it, W/m2."""
        if self._ice is not None:
            return self._step_with_ice(self._ice, environment_degc)
        state, new = self._state, self._spare
        state[ENVIRONMENT] = environment_degc
        self._matrix.dot(state, new)
        self._state, self._spare = new, state
        self.surface_degc = surface = new.item(SURFACE)
        if surface < self._counts_below:
            self._count(surface)
        self.at = at = self.at + 1
        if not at % BLOCK:
            self._look_at_vessels()
        return new.item(FLUX)

    def _count(self, surface_degc: float) -> None:
        """A sub-step that ended colder than the zone has ever been, or cold enough to be counted."""
        dose = self.dose
        if surface_degc < dose.lowest_degc:
            self._coldest(surface_degc)
        if surface_degc < WARMEST_COUNTED_DEGC:
            dose.below_15_steps += 1
            if surface_degc < 10.0:
                dose.below_10_steps += 1
                dose.d10_degc_steps += 10.0 - surface_degc
                if surface_degc < 4.0:
                    dose.below_4_steps += 1
        if surface_degc < self.nucleates_degc and self._ice is None:
            self._ice = Ice(self.body, self._state[: self.body.size])

    def _coldest(self, surface_degc: float) -> None:
        self.dose.lowest_degc = surface_degc
        self._counts_below = max(surface_degc, WARMEST_COUNTED_DEGC)

    def catch_up(self, now: int) -> None:
        """Go on to the last end of a block up to ``now``; the same whoever asks, and when."""
        if self.resting:
            self.at = now
        end = now - now % BLOCK
        if self.at >= end:
            return
        self._peeked = None
        while self.at < end:
            self._go_on(end)

    def settle(self, now: int) -> None:
        """Go on to ``now`` itself."""
        self.catch_up(now)
        self._peeked = None
        while self.at < now:
            self._go_on(now)

    def seen(self, now: int) -> "Zone":
        """This zone at ``now``, to be looked at: another one, if this one stands at the end of a block before."""
        self.catch_up(now)
        if self.at == now:
            return self
        peeked = self._peeked
        # Only what stands at the end of a piece is taken further: a look between leaves no trace in the last bit.
        if peeked is None or peeked.at > now or (peeked.at < now and peeked.at % PIECE):
            peeked = self._peeked = self._copy()
        peeked.settle(now)
        return peeked

    def at_depth(self, depth_m: float) -> float:
        """Temperature ``depth_m`` below the surface, degC."""
        state, body = self._state, self.body
        return body.probe(depth_m, self._film).read(state[: body.size], state.item(ENVIRONMENT))

    def temps(self) -> Array:
        """Cell temperatures, degC, a copy."""
        return self._state[: self.body.size].copy()

    def contact_s(self) -> float:
        """Seconds with the plate on it."""
        return (self.dose.contact_steps + (self.at - self._met_at if self.touched else 0)) * DT_S

    def truth(self) -> ZoneTruth:
        """What really is in this zone, and has been."""
        return told(
            self.dose, self.contact_s(), self.surface_degc, self.flow, 0.0 if self._ice is None else self._ice.ice_mm()
        )

    def _copy(self) -> "Zone":
        other = object.__new__(Zone)
        for name in Zone.__slots__:
            setattr(other, name, getattr(self, name))
        other._state, other._spare = self._state.copy(), self._spare.copy()
        other._ice = None if self._ice is None else self._ice.copy()
        other.dose = replace(self.dose)
        other._peeked = None
        return other

    def _can_stride(self) -> bool:
        return (
            self._ice is None
            and not self.touched
            and self.surface_degc > _STRIDE_ABOVE_DEGC
            and self._state.item(ENVIRONMENT) > self.nucleates_degc
        )

    def _go_on(self, end: int) -> None:
        """The longest stride that ends by ``end``: a block, a piece of one, or a sub-step."""
        at = self.at
        for count in (BLOCK, PIECE):
            if at % count == 0 and at + count <= end and self._can_stride():
                self._stride(count)
                return
        self.step(self._state.item(ENVIRONMENT))

    def _stride(self, count: int) -> None:
        """Several sub-steps at once, in air."""
        state, new, body = self._state, self._spare, self.body
        body.step(self._level, self._film, count).dot(state, new)
        self._state, self._spare = new, state
        self.surface_degc = surface = new.item(SURFACE)
        if surface < self._counts_below:
            self._count(surface)
        self.at += count
        if not self.at % BLOCK:
            self._look_at_vessels()

    def _step_with_ice(self, ice: Ice, environment_degc: float) -> float:
        state, body = self._state, self.body
        flux = ice.step(self._level, self._film, environment_degc)
        state[: body.size] = ice.temps
        share = body.share(self._film)
        self.surface_degc = surface = share * ice.temps[0] + (1.0 - share) * environment_degc
        state[body.size :] = (environment_degc, 1.0, surface, flux, body.dermis_weights @ state[: body.size])
        self.dose.ice_steps += 1
        self._count(surface)
        if ice.gone:
            self._ice = None
        self.at += 1
        if not self.at % BLOCK:
            self._look_at_vessels()
        return flux

    def _look_at_vessels(self) -> None:
        wanted = self._vessels.wanted(self._state.item(DERMIS))
        closing, opening = self._gains
        self.flow += (wanted - self.flow) * (closing if wanted < self.flow else opening)
        level = round(self.flow * LEVELS)
        if level != self._level:
            self._level = level
            self._matrix = self.body.step(level, self._film)
