"""When the fan runs, and when one that should run does not. The fan's supply does not pass through the relay."""

from firmware_sim.firmware.constants import FAN_MIN_RPM, FAN_OFF_DEGC, FAN_ON_DEGC, FAN_SPIN_UP_MS


class FanControl:
    """On under any lease, while the sink is not known, and from then on until the sink has cooled."""

    def __init__(self) -> None:
        self._on_since_ms: int | None = None

    def step(self, now_ms: int, sink_degc: float | None, *, lease_live: bool) -> bool:
        """Whether the fan is to be powered now."""
        was_on = self._on_since_ms is not None
        on = lease_live or sink_degc is None or not sink_degc < (FAN_OFF_DEGC if was_on else FAN_ON_DEGC)
        if not on:
            self._on_since_ms = None
        elif not was_on:
            self._on_since_ms = now_ms
        return on

    def stopped(self, now_ms: int, fan_rpm: int) -> bool:
        """Whether the fan has been powered long enough to turn and does not."""
        return self._on_since_ms is not None and now_ms - self._on_since_ms >= FAN_SPIN_UP_MS and fan_rpm < FAN_MIN_RPM
