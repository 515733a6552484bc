"""The catalogue of the second master: another program that orders the same wand, by a line of its own."""

from collections.abc import Callable
from typing import Final

from cryodevice.quantities import U16
from cryodevice.wire.codes import Mode
from cryodevice.wire.registers import STATUS, STATUS_BASE
from firmware_sim.faults.effect import Effect
from firmware_sim.faults.effects import Act
from firmware_sim.faults.kinds import FaultKind
from firmware_sim.faults.parameters import Parameter, Values
from firmware_sim.faults.wand import Wand

_AT: Final = {field.name: field.address - STATUS_BASE for field in STATUS}
_TOKEN: Final = Parameter("token", 0x0BAD, 1, 65535, whole=True)
_PERIOD: Final = Parameter("period_s", 0.1, 0.02, 3600.0, "s")
_CENTI: Final = 100


class Master:
    """Speaks to the wand as a host does: reads the status, then sends an order that echoes it."""

    def __init__(self) -> None:
        self._sequence = 0

    def stop(self, wand: Wand, values: Values) -> None:
        """One stop with its own token."""
        self._send(wand, values, Mode.OFF, 0.0, 0)

    def steal(self, wand: Wand, values: Values) -> None:
        """A stop that ends the lease and with it the token in force, and one that puts its own in force."""
        self.stop(wand, values)
        self.stop(wand, values)

    def order(self, wand: Wand, values: Values) -> None:
        """Steal the token where it is another's, then order."""
        if wand.firmware.reply_status()[_AT["token"]] != values["token"]:
            self.steal(wand, values)
        cools = values["order"] == "cool"
        self._send(
            wand, values, Mode.COOL if cools else Mode.OFF, float(values["setpoint_degc"]), int(values["lease_ms"])
        )

    def _send(self, wand: Wand, values: Values, mode: Mode, setpoint_degc: float, lease_ms: int) -> None:
        self._sequence = (self._sequence + 1) % U16
        status = wand.firmware.reply_status()
        echo, boot_id = status[_AT["sequence"]], status[_AT["boot_id_now"]]
        setpoint = round(setpoint_degc * _CENTI) % U16
        wand.firmware.receive([self._sequence, mode, setpoint, lease_ms, echo, boot_id, int(values["token"]), 0])


def _kind(
    name: str,
    summary: str,
    does: Callable[[Master], Callable[[Wand, Values], None]],
    *parameters: Parameter,
    count: int | None = None,
) -> FaultKind:
    def new(values: Values) -> Effect:
        return Act(values, does(Master()))

    return FaultKind(name, "link", ("P09", "X02"), summary, new, (*parameters, _TOKEN), count)


KINDS: Final = (
    _kind("foreign_stop", "A second master sends a stop.", lambda master: master.stop, count=1),
    _kind("token_stolen", "A second master ends the lease and puts its own token in force.", lambda master: master.steal, count=1),
    _kind(
        "foreign_orders", "A second master holds its token in force and orders again and again.", lambda master: master.order,
        Parameter("order", "arm", choices=("arm", "cool")), Parameter("setpoint_degc", 5.0, -40.0, 80.0, "degC"),
        Parameter("lease_ms", 500, 1, 65535, "ms", whole=True), _PERIOD,
    ),
)  # fmt: skip
