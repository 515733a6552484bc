"""One injection in force as its filters see it: its parameters, and how often it has made a difference."""

from firmware_sim.faults.parameters import Values


class Counted:
    """Parameters and count of one injection.

    Attributes:
        fired: How often it has made a difference.
        limit: After how many times it ends; ``None``: never by itself.
        seed: Text from which all its chance comes.
        began_s: When it began, simulated time.
    """

    def __init__(self, values: Values) -> None:
        self.values = values
        self.fired = 0
        self.limit: int | None = None
        self.seed = ""
        self.began_s = 0.0

    @property
    def spent(self) -> bool:
        """Whether it has fired as often as it may."""
        return self.limit is not None and self.fired >= self.limit

    def number(self, name: str) -> float:
        """A parameter that is a number."""
        return float(self.values[name])

    def choice(self, name: str) -> str:
        """A parameter that is a choice."""
        return str(self.values[name])

    def fire(self) -> None:
        """It has made a difference."""
        self.fired += 1
