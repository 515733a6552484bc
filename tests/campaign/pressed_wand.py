"""``firmware-sim`` with a wand whose e-stop is pressed from the start: ``python -m tests.campaign.pressed_wand serve ...``."""

import sys
from typing import Any

from firmware_sim.cli import main, serve
from firmware_sim.simulator import Simulator


class Pressed(Simulator):
    """A wand that somebody holds the e-stop of."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.plant.estop = True


if __name__ == "__main__":
    serve.Simulator = Pressed  # type: ignore[misc]
    sys.exit(main())
