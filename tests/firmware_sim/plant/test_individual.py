"""People by a seed: within what is published, each another, the same seed the same."""

import random
from dataclasses import replace
from statistics import mean

import pytest

from cryodevice.bioheat import CHEEK, ZONES
from cryodevice.errors import QuantityError
from firmware_sim.plant import Individual, Plant, drawn
from firmware_sim.plant.individual import Conductance, Skin


def somebody(seed: int) -> Individual:
    return drawn(random.Random(seed))  # noqa: S311 - chance is seeded


PEOPLE = [somebody(seed) for seed in range(300)]


def test_the_typical_person_has_every_zone_and_the_cheek_of_the_golden_run() -> None:
    tissues = Individual.typical().tissues()
    assert tissues.keys() == ZONES.keys()
    assert tissues["left_cheek"] == tissues["right_cheek"] == CHEEK
    assert tissues["periorbital"].depth_m < tissues["forehead"].depth_m < tissues["chin_jaw"].depth_m
    dermis_mm = {zone: 1e3 * tissue.layers[1].thickness_m for zone, tissue in tissues.items()}
    # Ultrasound, mean of men and women (PMC9205051 table 2); the cheek's 1.005 is taken as 1.0, and so all.
    for zone, published in {
        "forehead": 1.015,
        "nose": 0.98,
        "periorbital": 0.625,
        "chin_jaw": 0.965,
        "neck": 0.985,
    }.items():
        assert dermis_mm[zone] == pytest.approx(published, abs=0.006)


def test_the_same_seed_is_the_same_person_and_another_seed_another() -> None:
    assert somebody(7) == somebody(7)
    assert len(set(PEOPLE)) == len(PEOPLE)


def test_everybody_is_within_what_is_published() -> None:
    for person in PEOPLE:
        skin = dict(person.skin)
        assert all(0.03 <= each.epidermis_mm <= 0.22 for each in skin.values())
        assert all(0.4 <= each.dermis_mm <= 1.5 for each in skin.values())
        assert 2.0 <= skin["left_cheek"].fat_mm <= 8.0
        assert skin["left_cheek"] == skin["right_cheek"]
        assert 0.29 <= person.dermis_w_mk <= 0.37
        assert 0.16 <= person.fat_w_mk <= 0.22
        assert 0.5 <= person.perfusion <= 2.0
        assert 0.13 <= person.vessels.least <= 0.33
        assert 30.0 <= person.vessels.closing_s <= 120.0
        assert 1200.0 <= person.vessels.opening_s <= 3600.0
        assert 36.2 <= person.core_degc <= 37.4
        assert 1000.0 <= person.conductance.dry_w_m2k <= 1500.0
        assert 2500.0 <= person.conductance.gel_w_m2k <= 5000.0
        assert 300.0 <= person.conductance.light_w_m2k <= 500.0


def test_people_spread_over_the_ranges_and_not_around_a_point() -> None:
    def spread(of) -> tuple[float, float]:
        values = [of(person) for person in PEOPLE]
        return min(values), max(values)

    low, high = spread(lambda person: dict(person.skin)["left_cheek"].fat_mm)
    assert low < 2.5
    assert high > 6.5
    low, high = spread(lambda person: dict(person.skin)["left_cheek"].epidermis_mm)
    assert low < 0.04
    assert high > 0.18
    low, high = spread(lambda person: person.vessels.least)
    assert high - low > 0.18
    assert mean(person.perfusion for person in PEOPLE) == pytest.approx(1.06, abs=0.1)
    assert mean(dict(person.skin)["left_cheek"].dermis_mm for person in PEOPLE) == pytest.approx(1.005, abs=0.05)


def test_their_skin_starts_where_faces_are_and_cools_each_its_own_way() -> None:
    before, after = [], []
    for person in PEOPLE[:12]:
        plant = Plant(individual=person, plate_degc=5.0)
        plant.zone = "left_cheek"
        before.append(plant.truth().skin_surface_degc)
        plant.contact = True
        plant.advance(5.0)
        after.append(plant.truth().skin_1mm_degc)
        assert plant.conductance_w_m2k == person.conductance.dry_w_m2k
    assert 28.0 < min(before) < 32.5
    assert 34.0 < max(before) < 36.0
    assert max(after) - min(after) > 2.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"perfusion": 0.0},
        {"core_degc": 20.0},
        {"rested_offset_k": 100.0},
        {"conductance": Conductance(-1.0, 3000.0, 400.0)},
        {"skin": (("forehead", Skin(0.0, 1.0, 4.0)),)},
        {"dermis_w_mk": float("nan")},
    ],
)
def test_nobody_is_like_that(wrong: dict) -> None:
    with pytest.raises(QuantityError):
        replace(Individual.typical(), **wrong)
