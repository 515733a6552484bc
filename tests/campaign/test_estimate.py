"""The estimate is at or below the true skin at every tick, whoever is treated; some people here, hundreds in the campaign."""

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.campaign import estimate


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(st.integers(0, 10**9))
def test_the_estimate_is_never_above_the_skin(seed):
    one = estimate.beside(seed, 25.0)
    assume(one.ticks > 400)  # not the few whose treatment is refused, or whose hand stops first
    assert one.above == 0, one


def test_it_would_be_seen_to_be(monkeypatch):
    """With a conductance of dry skin for the worst case it is above the skin under gel."""
    from cryodevice.bioheat import propagator  # noqa: PLC0415
    from cryodevice.safety import skin_estimate  # noqa: PLC0415

    light = propagator(skin_estimate._GRID, skin_estimate.STEP_S, 300.0)
    monkeypatch.setattr(skin_estimate, "_TOUCH", light)
    monkeypatch.setattr(skin_estimate, "_SURFACE_TOUCH", skin_estimate._GRID.probe(0.0, 300.0))
    assert estimate.beside(22, 20.0).above > 0
