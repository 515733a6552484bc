"""The figures of the physics page. Each is drawn from a run made here and says so in its title; needs matplotlib."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from cryodevice.bioheat import CHEEK
from firmware_sim.plant import Individual, drawn
from firmware_sim.plant.applicator import AIR_COOLED, RATED_RPM, Applicator
from firmware_sim.plant.tissue import SkinUnderWand
from firmware_sim.plant.vessels import AT_ONCE, TYPICAL
from tests.firmware_sim.conftest import Bench
from tests.firmware_sim.plant import experiments as x

BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#777777"
"""Told apart by colour-blind readers (Okabe and Ito)."""
mpl.rcParams.update(
    {"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "lines.linewidth": 1.4, "legend.fontsize": 8}
)


def _saved(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=95, metadata={"Software": None})
    plt.close(figure)


def contact(path: Path) -> None:
    """The wand as a whole: firmware holds 5 degC, the plate lies on a cheek for 60 s."""
    bench = Bench()
    plant = bench.plant
    plant.zone = "left_cheek"
    _cool(bench, 40.0, [])
    rows: list[tuple[float, ...]] = []
    for touching, seconds in ((False, 10.0), (True, 60.0), (False, 30.0)):
        plant.contact = touching
        _cool(bench, seconds, rows)
    began = rows[0][0] + 10.0
    at = [row[0] - began for row in rows]
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 6.4), sharex=True, height_ratios=(3, 1.2))
    for column, name, colour in (
        (1, "plate", BLUE), (2, "sink", RED), (3, "skin surface", ORANGE), (4, "skin, 1 mm deep", GREEN),
    ):  # fmt: skip
        top.plot(at, [row[column] for row in rows], color=colour, label=name)
    top.axvspan(0.0, 60.0, color=GREY, alpha=0.12, label="contact")
    top.set(ylabel="degC", title="60 s of contact at 5 degC: cheek, 1300 W/m2 K, room 24 degC (whole simulated wand)")
    top.legend(loc=(0.4, 0.47), ncol=2)
    bottom.plot(at, [row[5] for row in rows], color=BLUE, label="drive, A")
    bottom.plot(at, [row[6] / 10.0 for row in rows], color=ORANGE, label="heat from the skin, 10 W")
    bottom.axvspan(0.0, 60.0, color=GREY, alpha=0.12)
    bottom.set(xlabel="s after the plate meets the skin")
    bottom.legend(loc="upper right")
    _saved(figure, path)


def _cool(bench: Bench, seconds: float, rows: list[tuple[float, ...]]) -> None:
    end = bench.simulator.time_s + seconds
    while bench.simulator.time_s < end - 1e-9:
        bench.host.cool(setpoint_degc=5.0)
        bench.simulator.advance(0.1)
        real = bench.plant.truth()
        rows.append(
            (
                *(bench.simulator.time_s, real.plate_degc, real.sink_degc, real.skin_surface_degc, real.skin_1mm_degc),
                *(real.drive_a, real.flux_w_m2 * 10e-4),
            )
        )


def golden(path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2))
    colours = (ORANGE, BLUE, GREEN, RED)
    for vessels, style, name in ((AT_ONCE, "-", "vessels close at once"), (TYPICAL, ":", "vessels take 60 s")):
        skin = x.cheek(vessels)
        x.laid(skin, h=1300.0)
        seconds, curves = [], [[] for _ in x.DEPTHS_M]
        for step in range(1, 30_001):
            skin.advance(5.0)
            if step < 500 or not step % 50:
                seconds.append(step * 0.01)
                for curve, depth in zip(curves, x.DEPTHS_M, strict=True):
                    curve.append(skin.at_depth(x.ZONE, depth))
        for curve, depth, colour in zip(curves, x.DEPTHS_M, colours, strict=True):
            label = f"{1e3 * depth:g} mm" if style == "-" else None
            left.semilogx(seconds, curve, style, color=colour, label=label)
        left.plot([], [], style, color=GREY, label=name)
        held, minutes, surfaces = x.cheek(vessels), [], []
        x.laid(held, h=1300.0)
        x.run(held, 300.0, 5.0)
        x.laid(held)
        for step in range(600):
            minutes.append(step / 60.0)
            surfaces.append(held.surface_degc)
            x.run(held, 1.0)
        right.plot(minutes, surfaces, style, color=ORANGE, label=name)
    for index, colour in enumerate(colours):
        left.plot(list(x.GOLDEN), [row[index] for row in x.GOLDEN.values()], "o", color=colour, mfc="none", ms=5)
    left.plot([], [], "o", color=GREY, mfc="none", label="golden run")
    left.set(xlabel="s of contact", ylabel="degC", title="Plate 5 degC, 1300 W/m2 K", xlim=(0.05, 320), ylim=(-5, 37))
    left.legend(loc="lower left", ncol=2, fontsize=7)
    right.plot([s / 60.0 for s in x.REWARM_S[300]], x.REWARM_DEGC, "o", color=ORANGE, mfc="none", label="golden run")
    right.set(xlabel="min of still air after 300 s at 5 degC", ylabel="surface, degC", title="Rewarming")
    right.legend()
    _saved(figure, path)


def experiments(path: Path) -> None:
    figure, axes = plt.subplots(2, 2, figsize=(10, 7.4))
    _v1(axes[0, 0])
    _v4(axes[0, 1])
    _v5(axes[1, 0])
    _v9(axes[1, 1])
    _saved(figure, path)


def _v1(axes: Axes) -> None:
    windows = (6.0, 8.0, 10.0, 12.0)
    axes.axhspan(14.0, 19.0, color=GREY, alpha=0.2, label="measured")
    for h, colour in ((1000.0, GREEN), (1500.0, BLUE)):
        axes.plot(windows, [x.anvari(h, w)[0] for w in windows], "o-", color=colour, label=f"model, {h:g} W/m2 K")
    axes.set(xlabel="sapphire, degC", ylabel="skin after 1 s, degC", title="V1 Anvari: 30 degC skin, 1 s")
    axes.legend()


def _v4(axes: Axes) -> None:
    fats = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0)
    axes.axhline(0.07, color=GREY, label="measured, surface 10 to 15 degC")
    axes.plot(fats, [x.osczevski(fat)[1] for fat in fats], "o-", color=BLUE, label="model")
    axes.set(xlabel="fat, mm", ylabel="m2 K/W", title="V4 Osczevski: resistance of a cold cheek", ylim=(0, 0.08))
    axes.legend()


def _v5(axes: Axes) -> None:
    names = [f"{air:g} degC\n{wind:g} km/h" for air, wind in x.DUCHARME]
    for place, ((air, wind), minutes) in enumerate(x.DUCHARME.items()):
        at_2, at_4, _ = x.ducharme(air, wind)
        if at_2 is not None:
            axes.plot([place, place], [at_2, at_4 or 25.0], color=BLUE, lw=6, alpha=0.5, solid_capstyle="butt")
        if minutes is not None:
            axes.plot(place, minutes, "o", color=RED, ms=7)
    axes.text(0, 7, "45 min:\nnone seen,\nnone in\nthe model", ha="center", va="center", fontsize=7)
    axes.text(1.12, 22, "-2.8 degC\nat 25 min", va="center", fontsize=7)
    axes.plot([], [], color=BLUE, lw=6, alpha=0.5, label="model: surface from -2 to -4 degC")
    axes.plot([], [], "o", color=RED, label="frostnip measured")
    axes.set_yscale("log")
    axes.set_yticks([1, 2, 5, 10, 20, 45], ["1", "2", "5", "10", "20", "45"])
    axes.set_xticks(range(len(names)), names, fontsize=7)
    axes.set(ylabel="min", title="V5 Ducharme: frostnip of the face in wind", xlim=(-0.6, 5.5), ylim=(1, 50))
    axes.legend(loc="lower left")


def _v9(axes: Axes) -> None:
    places = range(len(x.MYRER))
    ours = [x.myrer(fat) for fat, _, _ in x.MYRER.values()]
    axes.bar(
        [p - 0.3 for p in places],
        [-drop for _, drop, _ in x.MYRER.values()],
        0.2,
        color=GREY,
        label="cooling, measured",
    )
    axes.bar([p - 0.1 for p in places], [-drop for drop, _ in ours], 0.2, color=BLUE, label="cooling, model")
    axes.bar(
        [p + 0.1 for p in places],
        [warm for _, _, warm in x.MYRER.values()],
        0.2,
        color="#bbbbbb",
        label="rewarming, measured",
    )
    axes.bar([p + 0.3 for p in places], [warm for _, warm in ours], 0.2, color=ORANGE, label="rewarming, model")
    axes.set_xticks(list(places), [f"skinfold {name} mm" for name in x.MYRER])
    axes.axhline(0.0, color="black", lw=0.8)
    axes.set(ylabel="K, 1 cm below the fat", title="V9 Myrer: ice on a calf 20 min, then 30 min of air")
    axes.legend()


def vessels_and_ice(path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2))
    for vessels, colour, name in ((TYPICAL, BLUE, "60 s down, 20 min up"), (AT_ONCE, GREY, "at once")):
        skin, dermis, flows = SkinUnderWand(24.0, {x.ZONE: CHEEK}, vessels=vessels), [], []
        for h, seconds in ((1300.0, 300), (None, 2400)):
            x.laid(skin, h=h)
            for _ in range(seconds):
                x.run(skin, 1.0, 5.0)
                dermis.append(skin.at_depth(x.ZONE, 0.6e-3))
                flows.append(skin.zones()[x.ZONE].flow)
        left.plot(dermis, flows, color=colour, label=name)
    left.annotate("5 min at 5 degC", (8.5, 0.94), fontsize=8)
    left.annotate("40 min of air", (20.0, 0.285), fontsize=8)
    left.set(xlabel="dermis, degC", ylabel="blood flow / flow at rest", title="Vessels of the cheek")
    left.legend(loc="center right")
    skin, seconds, surfaces, ice = SkinUnderWand(24.0, {x.ZONE: CHEEK}, seed=1), [], [], []
    for touching, count in ((True, 400), (False, 2600)):
        skin.place(x.ZONE, contact=touching, conductance_w_m2k=3000.0, ambient_degc=24.0, wet=True)
        for _ in range(count):
            skin.advance(-12.0)
            seconds.append(len(seconds) * 0.01)
            surfaces.append(skin.surface_degc)
            ice.append(skin.zones()[x.ZONE].ice_mm)
    right.plot(seconds, surfaces, color=ORANGE, label="surface, degC")
    right.axhline(-0.53, color=GREY, lw=0.8, label="freezing point")
    right.axvline(4.0, color=GREY, ls=":", label="plate lifted")
    right.set(xlabel="s", ylabel="degC", title="Plate -12 degC, gel: supercooling, exotherm, thaw", ylim=(-10, 20))
    twin = right.twinx()
    twin.plot(seconds, [1e3 * mm for mm in ice], color=BLUE, label="ice, um")
    twin.set_ylabel("ice, um")
    twin.grid(visible=False)
    lines = [*right.get_lines(), *twin.get_lines()]
    right.legend(lines, [str(line.get_label()) for line in lines], loc="upper right")
    _saved(figure, path)


def people_and_module(path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2))
    for seed in range(40):
        _person(left, drawn(random.Random(seed)), {"color": GREY, "alpha": 0.25, "lw": 0.7})  # noqa: S311 - seeded
    _person(left, Individual.typical(), {"color": RED})
    left.plot([], [], color=GREY, label="40 people by seed, dry contact each his own")
    left.plot([], [], color=RED, label="the typical person")
    left.set(xlabel="s of contact", ylabel="degC", title="Plate 5 degC on the cheek: surface, and 1 mm deep")
    left.legend()
    currents = [0.1 * step for step in range(2, 66)]
    for fan_k_w, colour in ((0.15, BLUE), (0.4, GREEN), (0.8, ORANGE), (3.0, RED)):
        wand = Applicator(24.0, 24.0, replace(AIR_COOLED, fan_k_w=fan_k_w))
        wand.fan_rpm = RATED_RPM
        right.plot(
            currents, [wand.rests_at(i, 24.0, 0.5)[0] for i in currents], color=colour, label=f"sink {fan_k_w:g} K/W"
        )
        best = wand.optimum_a(24.0, 0.5)
        right.plot(best, wand.rests_at(best, 24.0, 0.5)[0], "o", color=colour)
    right.set(
        xlabel="A", ylabel="plate in the end, degC", ylim=(-35, 60), title="The gain turns over: optimum current (dots)"
    )
    right.legend()
    _saved(figure, path)


def _person(axes: Axes, person: Individual, style: dict) -> None:
    skin = SkinUnderWand(24.0, person.tissues(), vessels=person.vessels, rested_degc=24.0 + person.rested_offset_k)
    skin.place("left_cheek", contact=True, conductance_w_m2k=person.conductance.dry_w_m2k, ambient_degc=24.0)
    seconds, surface, deep = [], [], []
    for step in range(600):
        for _ in range(10):
            skin.advance(5.0)
        seconds.append((step + 1) * 0.1)
        surface.append(skin.surface_degc)
        deep.append(skin.at_depth("left_cheek", 1e-3))
    axes.plot(seconds, surface, **style)
    axes.plot(seconds, deep, **style, ls="--")


FIGURES: dict[str, Callable[[Path], None]] = {
    "physics-contact.png": contact,
    "physics-golden.png": golden,
    "physics-experiments.png": experiments,
    "physics-vessels-ice.png": vessels_and_ice,
    "physics-people-module.png": people_and_module,
}
