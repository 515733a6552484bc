"""A run as a picture: plate, skin and sink over time, the drive, and what happened. Needs the extra ``plot``."""

import os
from pathlib import Path
from typing import Any

from cryodevice.errors import CryodeviceError, ExitCode
from firmware_sim.scenarios.run import Result


class NoPlotError(CryodeviceError):
    """There is nothing to draw with, or nowhere to put it."""

    exit_code = ExitCode.USAGE


def can_plot(path: Path) -> None:
    """See before a run that it could be drawn.

    Raises:
        NoPlotError: matplotlib is not installed, its endings do not have this one, or there is no such directory.
    """
    endings = sorted(_tools()[1].get_supported_filetypes())
    if path.suffix.removeprefix(".").lower() not in endings:
        raise NoPlotError(f"--plot {path}: the ending says the format, one of: {', '.join(endings)}", path=str(path))
    if not path.parent.is_dir():
        raise NoPlotError(f"--plot {path}: there is no directory {path.parent}", path=str(path))
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise NoPlotError(f"--plot {path}: cannot be written; give another file", path=str(path))


def _tools() -> tuple[Any, Any]:
    """What is drawn on: figure and canvas."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  # an extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise NoPlotError("--plot needs matplotlib: pip install 'cryodevice[plot]'") from None
    return Figure, FigureCanvasAgg


def plot(result: Result, path: Path) -> None:
    """Draw a run into a file whose ending says the format (png, svg, pdf).

    Raises:
        NoPlotError: matplotlib is not installed, or the file cannot be written.
    """
    new_figure, canvas = _tools()
    figure = new_figure(figsize=(10.0, 6.0), layout="constrained")
    canvas(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _temperatures(upper, result)
    figure.legend(*upper.get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    _drive(lower, result)
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise NoPlotError(f"{path} cannot be written: {error}", path=str(path)) from None


def _temperatures(axes: Any, result: Result) -> None:
    looks = result.watch.looks
    times = [look.at_s for look in looks]
    for name, values, colour in (
        ("plate", [look.plate_degc for look in looks], "tab:blue"),
        ("sink", [look.sink_degc for look in looks], "tab:red"),
        ("skin surface", [look.skin_degc for look in looks], "tab:green"),
        ("skin 1 mm", [look.skin_1mm_degc for look in looks], "tab:olive"),
    ):
        axes.plot(times, values, label=name, color=colour)
    axes.axhline(2.0, color="black", linestyle=":", label="skin stop 2 degC")
    touching = [look.contact for look in looks]
    axes.fill_between(times, 0, 1, where=touching, color="tab:green", alpha=0.1, transform=axes.get_xaxis_transform())
    for at_s, name in result.watch.trips:
        axes.axvline(at_s, color="tab:red", linestyle="--")
        axes.annotate(f" trip {name}", (at_s, axes.get_ylim()[1]), va="top", color="tab:red")
    axes.set_ylabel("degC")
    axes.set_title(f"{result.scenario.name} (seed {result.seed}, {result.who})")
    axes.grid(alpha=0.3)


def _drive(axes: Any, result: Result) -> None:
    looks = result.watch.looks
    axes.plot([look.at_s for look in looks], [look.drive_a for look in looks], color="tab:purple")
    for action in result.scenario.actions:
        if action.fault is not None:
            axes.axvline(action.at_s, color="tab:orange", linestyle="--")
            axes.annotate(
                f" {action.fault.name}", (action.at_s, 0.0), color="tab:orange", rotation=90, fontsize="small"
            )
    axes.set_ylabel("drive, A")
    axes.set_xlabel("s")
    axes.grid(alpha=0.3)
