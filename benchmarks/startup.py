"""Time of ``cryodevice --help`` beside ``python -c pass``; runs of the two alternate."""

import subprocess
import sys
import time
from statistics import median

from benchmarks import processes as p
from benchmarks.figures import Row, Section, spread


def run(*, quick: bool) -> Section:
    rounds = 5 if quick else 15
    ours, bare = [], []
    for _ in range(rounds):
        ours.append(_took([p.cryodevice(), "--help"]))
        bare.append(_took([sys.executable, "-c", "pass"]))
    return Section(
        "startup",
        "Time to the first word",
        "python -c pass",
        (
            Row(
                "cryodevice --help",
                f"{median(ours) * 1000:.0f} ms",
                f"{median(bare) * 1000:.0f} ms",
                spread([mine / other for mine, other in zip(ours, bare, strict=True)]),
            ),
        ),
        (f"{rounds} runs of each in turn, warm cache; median, ratio with lowest and highest.",),
    )


def _took(arguments: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(arguments, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began
