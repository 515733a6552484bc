"""Plate temperature control: PI to the setpoint with a current clamp. Decides no permission; asked only under a lease.

Cooling goes by the colder plate channel and warming by the warmer, so an error of one channel never drives further.
The integral moves only while the output is off its clamp, so a long pull-down winds nothing up.
"""

from cryodevice.wire.codes import Mode
from firmware_sim.firmware.constants import DERATE_FROM_DEGC, DERATE_TO_A, DRIVE_MAX_A, SINK_HOT_DEGC

GAIN_A_K = 4.0
"""Proportional gain: at 5 degC the plate gives about 12 degC/A with 36 s, so the loop crosses over at 1.3 rad/s; 0.35 s
of sensor lag leaves about 60 deg of phase (engineering default)."""
INTEGRAL_A_K_S = 0.4
"""Integral gain, A/(K s): integral time 10 s, far slower than the crossover (engineering default)."""


def current_limit(sink_degc: float | None) -> float:
    """Largest drive allowed at this sink temperature, A; the lowest when the sink is not known."""
    if sink_degc is None or not sink_degc <= SINK_HOT_DEGC:
        return DERATE_TO_A
    if sink_degc <= DERATE_FROM_DEGC:
        return DRIVE_MAX_A
    share = (sink_degc - DERATE_FROM_DEGC) / (SINK_HOT_DEGC - DERATE_FROM_DEGC)
    return DRIVE_MAX_A + share * (DERATE_TO_A - DRIVE_MAX_A)


class Regulator:
    """One loop for both directions; ``step`` is called once each tick while a lease is live in cool or warm."""

    def __init__(self) -> None:
        self._integral_a = 0.0
        self._mode = Mode.OFF

    def rest(self) -> None:
        """Forget the past; the next step starts from no drive."""
        self._integral_a = 0.0
        self._mode = Mode.OFF

    def step(
        self, mode: Mode, setpoint_degc: float, plate_degc: tuple[float, float], sink_degc: float | None, dt_s: float
    ) -> float:
        """Drive current, A, positive cools; between 0 and the clamp in cool, between minus the clamp and 0 in warm.

        Args:
            mode: Cool or warm; a change of mode starts the integral anew.
            setpoint_degc: Temperature to reach.
            plate_degc: Colder and warmer plate channel.
            sink_degc: For the clamp.
            dt_s: Time since the last step.
        """
        if mode is not self._mode:
            self.rest()
            self._mode = mode
        sign = 1.0 if mode is Mode.COOL else -1.0
        plate = plate_degc[0] if mode is Mode.COOL else plate_degc[1]
        error = sign * (plate - setpoint_degc)
        limit = current_limit(sink_degc)
        integral = self._integral_a + INTEGRAL_A_K_S * error * dt_s
        wanted = GAIN_A_K * error + integral
        if 0.0 <= wanted <= limit:
            self._integral_a = integral
        return sign * min(max(wanted, 0.0), limit)
