import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["startup", "simulator", "decision"])
def test_a_measurement_runs_and_prints_its_table(name):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "| ratio |" in done.stdout
    assert done.stdout.count("|") > 15
