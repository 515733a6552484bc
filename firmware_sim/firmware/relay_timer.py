"""The independent circuit that opens the cut-off relay when firmware no longer serves it or current outlives off.

It trusts nothing the firmware computes but the off command itself: it has its own clock and its own current sensing.
"""

from firmware_sim.firmware.constants import CURRENT_PERSISTS_MS, CURRENT_PRESENT_MA, RELAY_UNSERVED_MS


class RelayTimer:
    """Times since the last service and since off, on the wand's clock (ms).

    Attributes:
        persists: Current flows although the drive was told off 100 ms ago or more.
        disobeyed: Current flows although the relay was told open 100 ms ago or more.
    """

    def __init__(self, now_ms: int) -> None:
        self._served_ms = now_ms
        self._off_ms: int | None = now_ms
        self._open_ms: int | None = now_ms
        self._current_ms: int | None = None
        self.persists = False
        self.disobeyed = False

    def serve(self, now_ms: int) -> None:
        """Firmware's sign of life, once each tick."""
        self._served_ms = now_ms

    def starved(self, now_ms: int) -> bool:
        """Whether firmware has been silent for 300 ms."""
        return now_ms - self._served_ms >= RELAY_UNSERVED_MS

    def starves_at_ms(self) -> int:
        """When the relay will open unless it is served before."""
        return self._served_ms + RELAY_UNSERVED_MS

    def follow(self, now_ms: int, *, drive_on: bool, relay_closed: bool) -> None:
        """Note what the outputs are told to do; the instant of each *off* starts its own count."""
        self._off_ms = None if drive_on else now_ms if self._off_ms is None else self._off_ms
        self._open_ms = None if relay_closed else now_ms if self._open_ms is None else self._open_ms

    def watch(self, now_ms: int, drive_ma: int) -> None:
        """Compare the measured current with the commands; once each 20 ms."""
        if -CURRENT_PRESENT_MA <= drive_ma <= CURRENT_PRESENT_MA:
            self._current_ms = None
            self.persists = self.disobeyed = False
            return
        if self._current_ms is None:
            self._current_ms = now_ms
        self.persists = self._outlives(self._off_ms, now_ms)
        self.disobeyed = self._outlives(self._open_ms, now_ms)

    def _outlives(self, told_ms: int | None, now_ms: int) -> bool:
        if told_ms is None or self._current_ms is None:
            return False
        return now_ms - max(told_ms, self._current_ms) >= CURRENT_PERSISTS_MS
