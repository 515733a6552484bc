"""Programs: what they come to, what the skin makes of them at worst, and that a forecast is one."""

import itertools
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryodevice.safety.interlocks import TABLE
from cryodevice.safety.limits import ENVELOPE, Zone, limits
from cryodevice.settings.program_file import load_program, shipped
from cryodevice.treatment.forecast import forecast
from cryodevice.treatment.program import SHORTEST_REWARM_S, Step, Treatment, goes_on, objections
from cryodevice.treatment.programs import Program, ProgramStep, spread
from tests.docs.test_docs import marked_table

L, R, F = Zone.LEFT_CHEEK, Zone.RIGHT_CHEEK, Zone.FOREHEAD
PAGE = Path(__file__).parents[2] / "docs" / "programs.md"
LIBRARY = ("calm", "circulation", "refresh", "relax", "renew", "tone")


def contacts(*steps: ProgramStep) -> tuple[Step, ...]:
    return spread(Program("p", steps)).steps


def test_in_cycles_the_wand_works_one_zone_while_the_other_rewarms():
    steps = contacts(ProgramStep((L, R), 8.0, 20.0, 40.0, cycles=2), ProgramStep((F,), 9.0, 5.0, 1.0, glide=True))
    assert [step.zone for step in steps] == [L, R, L, R, F]
    assert [step.rewarm_s for step in steps] == [10.0, 10.0, 10.0, 40.0, 1.0]
    assert [step.longest_rewarm_s for step in steps] == [50.0, 50.0, 50.0, 80.0, 60.0]
    assert [step.part for step in steps] == [1, 1, 1, 1, 2]
    assert [step.glide for step in steps] == [False] * 4 + [True]


def test_one_zone_in_cycles_waits_and_pauses_run_together():
    cycles = contacts(ProgramStep((L,), 8.0, 20.0, 30.0, cycles=2))
    assert [step.rewarm_s for step in cycles] == [30.0, 30.0]
    assert [step.longest_rewarm_s for step in cycles] == [60.0, 60.0]
    assert not goes_on(*cycles)
    pauses = contacts(ProgramStep((L, R), 8.0, 20.0, 29.9, cycles=2))
    assert [step.zone for step in pauses] == [L, L, R, R], "all of one zone, or the pause would be no pause"
    assert [goes_on(a, b) for a, b in itertools.pairwise(pauses)] == [True, False, True]


@given(
    zones=st.lists(st.sampled_from(Zone), min_size=1, max_size=4, unique=True).map(tuple),
    hold_s=st.floats(1.0, 90.0),
    rewarm_s=st.floats(0.0, 300.0),
    cycles=st.integers(1, 5),
)
@settings(max_examples=60, deadline=None)
def test_every_zone_has_all_its_cycles_and_its_time_off_the_skin(zones, hold_s, rewarm_s, cycles):
    step = ProgramStep(zones, 10.0, hold_s, rewarm_s, cycles)
    steps = contacts(step)
    assert len(steps) == cycles * len(zones)
    for zone in zones:
        places = [number for number, each in enumerate(steps) if each.zone is zone]
        assert len(places) == cycles
        for first, second in itertools.pairwise(places):
            between = steps[first:second]
            off_s = sum(each.rewarm_s for each in between) + sum(each.hold_s for each in between[1:])
            assert off_s >= rewarm_s - 1e-6
            if rewarm_s >= SHORTEST_REWARM_S:
                assert all(each.longest_rewarm_s <= 2.0 * rewarm_s + 1e-6 for each in between)
                assert all(each.longest_rewarm_s >= each.rewarm_s for each in between)


def test_objections_count_as_the_author_does():
    found = objections(spread(Program("p", (ProgramStep((L, R), 4.0, 20.0, 40.0, cycles=3),))), limits())
    assert len(found) == 2, "one for each zone, not for each cycle"
    assert all(one.startswith("step 1 (") for one in found)
    together = objections(spread(Program("p", (ProgramStep((L,), 8.0, 31.0, 20.0, cycles=3, glide=True),))), limits())
    assert together == [
        "step 1 (left_cheek): one contact of 93 s, since rewarm_s under 30 is a pause; it may be 90 s",
    ]


@pytest.fixture(scope="module")
def library():
    return {path.stem: spread(load_program(path).program) for path in sorted(shipped().glob("*.toml"))}


@pytest.fixture(scope="module")
def forecasts(library):
    return {name: forecast(library[name], limits()) for name in LIBRARY}


def test_the_library_is_whole_and_within_every_limit(library, forecasts):
    assert set(LIBRARY) <= set(library)
    for name, found in forecasts.items():
        assert objections(library[name], limits()) == [], name
        assert found.broken == [], name
        assert min(had.lowest_skin_degc for had in found.zones.values()) >= 7.6, name
        assert min(had.lowest_fat_degc for had in found.zones.values()) >= 11.0, name
        assert max(had.below_10_s for had in found.zones.values()) <= 100.0, name


def test_the_document_tells_the_worst_of_each(library, forecasts):
    rows = {row[0].strip("`"): [float(cell) for cell in row[2:]] for row in marked_table("library", PAGE)}
    assert set(rows) == set(LIBRARY)
    for name, told in rows.items():
        had = forecasts[name].zones.values()
        assert told == pytest.approx(
            [
                len(library[name].steps),
                sum(step.hold_s for step in library[name].steps),
                forecasts[name].lasts_s,
                min(each.lowest_skin_degc for each in had),
                min(each.lowest_fat_degc for each in had),
                max(each.below_10_s for each in had),
                max(each.d10_degc_s for each in had),
            ],
            abs=1.0,  # degrees and seconds are written to a digit; the model counts quarter seconds
        )


def test_the_document_shows_a_program(tmp_path):
    text = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "p.toml").write_text(text[1])
    treatment = spread(load_program(tmp_path / "p.toml").program)
    assert (len(treatment.steps), objections(treatment, limits())) == (8, [])


def test_every_margin_is_of_an_interlock_or_the_cycle_gate(forecasts):
    rules = {rule for found in forecasts.values() for rule, _ in found.margins}
    assert rules - {"cycle_gate"} <= {row.id for row in TABLE}
    assert {"skin_warn", "fat_boundary", "step_contact", "static_dwell", "zone_d10", "session_contact"} <= rules


@pytest.mark.parametrize(
    ("step", "rule"),
    [
        (ProgramStep((L,), 5.0, 80.0, 30.0, glide=True), "fat_boundary"),
        (ProgramStep((L,), 8.0, 30.0, 10.0, cycles=3, glide=True), "step_contact"),
        (ProgramStep((L,), 5.0, 60.0, 30.0, cycles=4, glide=True), "cycle_gate"),
        (ProgramStep((L,), 8.0, 15.0, 9.0, cycles=2), "static_dwell"),
        (ProgramStep((L,), 8.0, 60.0, 60.0, cycles=4, glide=True), "zone_below_10"),
        (ProgramStep((L,), 5.0, 40.0, 90.0, cycles=5, glide=True), "zone_d10"),
    ],
)
def test_a_program_that_would_trip_is_seen_to(step, rule):
    found = forecast(spread(Program("p", (step,))), limits())
    assert rule in {margin.rule for margin in found.broken}


def test_a_plate_under_the_check_is_seen_to_before_the_interlock_would():
    wide = limits({"plate_floor_degc": 2.0})
    found = forecast(Treatment("t", (Step(L, 4.3, 30.0, 30.0),)), wide)
    (margin,) = [margin for margin in found.broken if margin.rule == "skin_warn"]
    assert (margin.limit, 4.0 < margin.value < 4.3) == (4.3, True)


@given(plate=st.floats(5.0, 20.0), milder=st.floats(0.0, 5.0), hold=st.floats(2.0, 30.0), less=st.floats(0.0, 1.0))
@settings(max_examples=15, deadline=None)
def test_milder_is_never_worse(plate, milder, hold, less):
    def lowest(plate_degc: float, hold_s: float) -> tuple[float, float]:
        had = forecast(Treatment("t", (Step(L, plate_degc, hold_s, 1.0),)), limits()).zones[L]
        return had.lowest_skin_degc, had.lowest_fat_degc

    assert all(a <= b + 1e-9 for a, b in zip(lowest(plate, hold), lowest(plate + milder, hold), strict=True))
    assert all(
        a <= b + 1e-9 for a, b in zip(lowest(plate, hold), lowest(plate, max(1.0, hold - less * hold)), strict=True)
    )


@pytest.mark.parametrize(
    "name", ["zone_contact_s", "zone_below_15_s", "zone_d10_degc_s", "session_contact_s", "step_contact_s"]
)
def test_a_tighter_limit_never_leaves_more(name, library):
    bound = ENVELOPE[name]
    treatment = replace(library["demo"], steps=library["demo"].steps * 2)
    wide, tight = (forecast(treatment, limits({name: value})) for value in (bound.widest, bound.strictest))
    for key, margin in wide.margins.items():
        assert tight.margins[key].left <= margin.left


def test_nothing_comes_to_nothing():
    found = forecast(Treatment("t", ()), limits())
    assert (found.zones, found.margins, found.lasts_s) == ({}, {}, 0.0)
