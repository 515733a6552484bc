"""The simulated wand as a process, and the hand that holds it: squeezes the trigger, touches, lifts. For the demo.

Speaks to the simulator only as a user would: its command line and its control over HTTP.
"""

import asyncio
import contextlib
import http.client
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryodevice.errors import CryodeviceError
from cryodevice.runtime.bus import Bus
from cryodevice.runtime.snapshot import Snapshot
from cryodevice.safety.phases import SessionState

START_WITHIN_S = 20.0
_TAIL = 2000
_ANSWER_S = 3.0
_ANY_PORT = "127.0.0.1:0"
LINES: Mapping[str, tuple[str, str]] = {
    "serial": ("--serial", "auto"),
    "tcp": ("--serial-tcp", _ANY_PORT),
    "modbus-rtu": ("--modbus-rtu", "auto"),
    "modbus-tcp": ("--modbus-tcp", _ANY_PORT),
}
"""What the simulator is told for each kind of link."""


class SimulatorError(CryodeviceError):
    """The simulator did not start, or ended."""


@dataclass(slots=True)
class SimulatedWand:
    """A running ``firmware-sim serve``.

    Args:
        process: The child.
        endpoints: What it printed: serial, serial_tcp, modbus_rtu, modbus_tcp, control.
    """

    process: asyncio.subprocess.Process
    endpoints: Mapping[str, Any]

    async def stop(self) -> None:
        """End it and wait."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            try:
                async with asyncio.timeout(3.0):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()


async def start_wand(link: str, seed: int) -> SimulatedWand:
    """Start the simulator beside us; it ends when we do.

    Args:
        link: Kind of link, a key of ``LINES``.
        seed: Of its sensors' noise.

    Raises:
        SimulatorError: It did not come up; carries what it said.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "firmware_sim",
        "serve",
        *LINES[link],
        "--control",
        "127.0.0.1:0",
        "--seed",
        str(seed),
        "--exit-with-parent",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        start_new_session=True,
    )
    if process.stdout is None or process.stderr is None:
        raise SimulatorError("the simulator has no output")
    try:
        async with asyncio.timeout(START_WITHIN_S):
            first = await process.stdout.readline()
        endpoints = json.loads(first)
    except (TimeoutError, ValueError) as error:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        said = (await process.stderr.read(_TAIL)).decode(errors="replace").strip()
        await process.wait()
        raise SimulatorError(f"the simulated wand did not start: {said or 'it said nothing'}") from error
    return SimulatedWand(process, endpoints)


async def treat(wand: SimulatedWand, zone: str, snapshots: Bus[Snapshot]) -> None:
    """Be the hand: hold the trigger, touch when the plate is ready, lift when the contact is over. Until cancelled."""
    control = str(wand.endpoints["control"])
    subscription = snapshots.subscribe(1)
    try:
        await asyncio.to_thread(_set_hand, control, zone=zone, trigger=True)
        touching = False
        async for snapshot in subscription:
            state = snapshot.session.state
            if state is SessionState.LIFTED and not touching:
                await asyncio.sleep(0.5)
                await asyncio.to_thread(_set_hand, control, contact=True)
                touching = True
            elif state not in (SessionState.LIFTED, SessionState.APPLYING) and touching:
                await asyncio.to_thread(_set_hand, control, contact=False)
                touching = False
    except (OSError, http.client.HTTPException):
        await asyncio.Event().wait()  # the wand is gone: the loop finds out and says so
    finally:
        subscription.close()


def _set_hand(control: str, **values: object) -> None:
    """Tell the simulator what the hand does now; a connection for each change, for there are four in a treatment."""
    host, port = control.rsplit(":", 1)
    line = http.client.HTTPConnection(host, int(port), timeout=_ANSWER_S)
    try:
        line.request("PATCH", "/hand", json.dumps(values), {"Content-Type": "application/json"})
        line.getresponse().read()
    finally:
        line.close()
