"""What a fault is before anybody injects it: its name, where it sits, its parameters. Facts only; nothing acts here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from firmware_sim.faults.effect import Effect
from firmware_sim.faults.parameters import FaultError, Parameter, Value, Values

Where = Literal["sensor", "actuator", "power", "firmware", "link"]


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One row of the catalogue.

    Args:
        name: As people and scenarios write it.
        where: What is broken.
        rows: Rows of the fault matrix it produces.
        summary: What happens, in one sentence.
        new: Makes the effect of one injection from its parameters.
        parameters: In the order in which they are shown.
        count: How often it fires before it ends by itself, unless the injection says otherwise; ``None``: for ever.
    """

    name: str
    where: Where
    rows: tuple[str, ...]
    summary: str
    new: Callable[[Values], Effect]
    parameters: tuple[Parameter, ...] = ()
    count: int | None = None

    def value(self, name: str, value: object, *, written: bool = False) -> Value:
        """A parameter's value, if it is allowed. ``written``: it is a text, and a number is to be read from it.

        Raises:
            FaultError: There is no such parameter, or the value is none of its; says what is allowed.
        """
        parameter = self.parameter(name)
        try:
            return parameter.read(str(value)) if written else parameter.checked(value)
        except FaultError as error:
            raise FaultError(f"{self.name}: {error.message}", fault=self.name, parameter=name) from None

    def parameter(self, name: str) -> Parameter:
        """The parameter of this name.

        Raises:
            FaultError: There is none.
        """
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        known = ", ".join(parameter.name for parameter in self.parameters) or "none"
        raise FaultError(f"{self.name} has no parameter {name!r}; it has: {known}", fault=self.name)
