"""A simulated wand that lives in the time of the running loop, and the lines to it. Decides nothing.

The wand is advanced when somebody talks to it or looks at it, never by a task of its own: what nobody looks at costs
nothing until then, and the result is the same.
"""

import asyncio

from firmware_sim.endpoints.modbus_rtu import RtuSlave
from firmware_sim.endpoints.modbus_tcp import TcpSlave
from firmware_sim.endpoints.pacer import Pacer
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.endpoints.slave import Slave
from firmware_sim.simulator import Simulator
from firmware_sim.virtual.memory_link import MemoryLink, Tap


class VirtualWand:
    """One wand on the running loop's time, from now on.

    Args:
        simulator: The wand.
    """

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self._skipped_s = 0.0
        self._loop = asyncio.get_running_loop()
        self._pacer = Pacer(simulator, lambda: self._loop.time() + self._skipped_s)
        self.catch_up = self._pacer.catch_up

    def live_on(self, seconds: float) -> None:
        """Let time pass for the wand only, as when the host sleeps."""
        self.catch_up()
        self._skipped_s += seconds
        self.catch_up()

    def serial(self, *, byte_s: float = 0.0, tap: Tap | None = None) -> MemoryLink:
        """A serial line with the framed protocol."""
        slave = self.simulator.line("serial", SerialSlave(self.simulator.firmware))
        return MemoryLink(lambda: slave, self.catch_up, name="memory:serial", byte_s=byte_s, tap=tap)

    def modbus_rtu(self, unit: int = 1, *, byte_s: float = 0.0, tap: Tap | None = None) -> MemoryLink:
        """A serial line with Modbus RTU."""
        slave = self.simulator.line("modbus_rtu", RtuSlave(self.simulator.firmware, unit))
        return MemoryLink(lambda: slave, self.catch_up, name="memory:modbus-rtu", byte_s=byte_s, tap=tap)

    def modbus_tcp(self, unit: int = 1, *, byte_s: float = 0.0, tap: Tap | None = None) -> MemoryLink:
        """Modbus TCP; each opening is a connection of its own."""

        def connection() -> Slave:
            return self.simulator.line("modbus_tcp", TcpSlave(self.simulator.firmware, unit))

        return MemoryLink(connection, self.catch_up, name="memory:modbus-tcp", lasting=False, byte_s=byte_s, tap=tap)
