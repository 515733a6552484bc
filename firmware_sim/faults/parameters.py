"""The numbers and choices of a fault: what each may be, and what is said when it is something else."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cryodevice.errors import CryodeviceError, ExitCode

Value = float | str
"""What a parameter holds: a number, or one of its choices."""
Values = Mapping[str, Value]


class FaultError(CryodeviceError):
    """A fault that cannot be injected or cleared as asked; the message says what is allowed."""

    exit_code = ExitCode.USAGE


def written(value: Value) -> str:
    """A value as people write it."""
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) else f"{value:g}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number or choice of a fault.

    Args:
        name: With its unit at the end, as everywhere.
        default: What it is when nobody says.
        low, high: Closed range of a number.
        unit: For people; empty for a choice or a plain number.
        choices: What a choice may be; empty for a number.
        whole: Whether the number must be a whole one.
    """

    name: str
    default: Value
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""
    choices: tuple[str, ...] = ()
    whole: bool = False

    @property
    def allowed(self) -> str:
        """The range or the choices, for people."""
        if self.choices:
            return " | ".join(self.choices)
        return f"{written(self.low)} … {written(self.high)}"

    def checked(self, value: object) -> Value:
        """``value`` if it is allowed.

        Raises:
            FaultError: It is not.
        """
        if self.choices:
            if value in self.choices:
                return str(value)
        elif isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high:
            if not self.whole:
                return float(value)
            if value == int(value):
                return int(value)
        unit = f" {self.unit}" if self.unit else ""
        whole = "a whole number, " if self.whole else ""
        raise FaultError(f"{self.name} is {value!r}; allowed: {whole}{self.allowed}{unit}", parameter=self.name)

    def read(self, text: str) -> Value:
        """The value that ``text`` writes.

        Raises:
            FaultError: It is no value of this parameter.
        """
        if self.choices:
            return self.checked(text)
        try:
            return self.checked(float(text))
        except ValueError:
            return self.checked(text)
