"""Calls of the control of a running wand, over HTTP. What they mean: ``docs/simulator.md``, ``/openapi.json``.

May be used from several threads; calls take turns on one connection.
"""

import http.client
import json
import threading
import time
from typing import Any, Final

from cryodevice.errors import CryodeviceError

_KEEP_S: Final = 10.0
"""A connection idle for longer is not used again: the simulator closes it after 30 s."""


class ControlError(CryodeviceError):
    """The simulator refused, or did not answer; the message is its own."""


class ControlClient:
    """One connection to a running wand's control.

    Args:
        address: ``HOST:PORT`` as ``firmware-sim serve`` printed it, with or without ``http://`` before it.
        timeout_s: How long one answer may take.
    """

    def __init__(self, address: str, timeout_s: float = 10.0) -> None:
        self.address = address.removeprefix("http://").rstrip("/")
        self._timeout_s = timeout_s
        self._line: http.client.HTTPConnection | None = None
        self._used_s = 0.0
        self._turn = threading.Lock()

    # --- look ---------------------------------------------------------------------------------------------------------

    def truth(self) -> dict[str, Any]:
        """What really is."""
        return self.call("GET", "/truth")

    def time_s(self) -> float:
        """Simulated time since the start."""
        return float(self.clock()["time_s"])

    def clock(self) -> dict[str, Any]:
        """Time, and how it runs."""
        return self.call("GET", "/clock")

    def faults(self) -> dict[str, Any]:
        """Faults in force or waiting (``active``), and how often each kind has made a difference (``fired``)."""
        return self.call("GET", "/faults")

    def catalogue(self) -> list[dict[str, Any]]:
        """Every fault there is."""
        return list(self.call("GET", "/faults/catalogue")["faults"])

    # --- change -------------------------------------------------------------------------------------------------------

    def set(self, **values: Any) -> dict[str, Any]:
        """The hand: ``contact``, ``zone``, ``trigger``, ``estop``, ``tip``, ``motion``, ``conductance_w_m2k``."""
        return self.call("PATCH", "/hand", values)

    def hold(self, *zones: str, **values: Any) -> dict[str, Any]:
        """Let a random hand hold the wand: ``glide``, ``surface``, ``seed``, ``lifts_per_min`` and what else it has."""
        return self.call("POST", "/hand/random", {"zones": list(zones), **values})

    def let_go(self) -> dict[str, Any]:
        """Take the random hand away, and the plate off the skin."""
        return self.call("DELETE", "/hand/random")

    def room(self, **values: float) -> dict[str, Any]:
        """The room: ``ambient_degc``, ``humidity_pct``."""
        return self.call("PATCH", "/room", values)

    def inject(
        self,
        name: str,
        *,
        start_s: float = 0.0,
        duration_s: float | None = None,
        count: int | None = None,
        **values: float | str,
    ) -> int:
        """Put a fault in; returns its id."""
        body: dict[str, Any] = {"name": name, "values": values, "start_s": start_s}
        body |= {key: value for key, value in (("duration_s", duration_s), ("count", count)) if value is not None}
        return int(self.call("POST", "/faults", body)["id"])

    def clear(self, number: int | None = None) -> dict[str, Any]:
        """Take one fault out, or all."""
        return self.call("DELETE", "/faults" if number is None else f"/faults/{number}")

    def disturb(self, **values: float | bool | None) -> dict[str, Any]:
        """Set switches of the hardware."""
        return self.call("PATCH", "/disturbances", values)

    def quirk(self, **values: float | bool | None) -> dict[str, Any]:
        """Set switches of the firmware."""
        return self.call("PATCH", "/quirks", values)

    def reboot(self, cause: str = "power_on") -> int:
        """Boot the firmware anew; returns the new boot id."""
        return int(self.call("POST", "/reboot", {"cause": cause})["boot_id"])

    def speed(self, factor: float) -> dict[str, Any]:
        """Run so many times as fast as the real clock."""
        return self.call("PATCH", "/clock", {"speed": factor})

    def pause(self) -> dict[str, Any]:
        """Let time stand still."""
        return self.call("PATCH", "/clock", {"paused": True})

    def resume(self) -> dict[str, Any]:
        """Let it go on."""
        return self.call("PATCH", "/clock", {"paused": False})

    def step(self, seconds: float) -> dict[str, Any]:
        """While paused: let so much time pass."""
        return self.call("POST", "/clock/step", {"seconds": seconds})

    # --- the line -----------------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request; returns the answer's JSON object.

        Raises:
            ControlError: Refused, or no answer.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        with self._turn:
            try:
                line = self._connection()
                line.request(method, path, data, headers)
                with line.getresponse() as response:
                    status, text = response.status, response.read()
                self._used_s = time.monotonic()
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                why = str(error) or type(error).__name__
                raise ControlError(f"the wand's control at {self.address} does not answer: {why}") from error
        found: dict[str, Any] = json.loads(text)
        if status >= http.client.BAD_REQUEST:
            raise ControlError(str(found["error"]), status=status)
        return found

    def close(self) -> None:
        """Let go of the connection; the next call opens another."""
        with self._turn:
            self._drop()

    def _connection(self) -> http.client.HTTPConnection:
        if self._line is not None and time.monotonic() - self._used_s > _KEEP_S:
            self._drop()
        if self._line is None:
            host, _, port = self.address.rpartition(":")
            self._line = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=self._timeout_s)
        return self._line

    def _drop(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
