"""The server of pymodbus with plain registers, as a peer: ``python -m benchmarks.pymodbus_slave rtu|tcp [DEVICE]``.

Prints a JSON line when it listens, then answers until it is ended.
"""

import asyncio
import json
import sys

from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

UNIT = 1
REGISTERS = 0x02F1
BAUD = 115_200


async def serve(line: str, device: str) -> None:
    """Answer for ever."""
    registers = SimDevice(UNIT, simdata=[SimData(0, count=REGISTERS, values=0, datatype=DataType.REGISTERS)])
    if line == "tcp":
        tcp = ModbusTcpServer(registers, address=("127.0.0.1", 0))
        await tcp.serve_forever(background=True)
        said = {"tcp": tcp.transport.sockets[0].getsockname()[1]}
    else:
        serial = ModbusSerialServer(registers, port=device, baudrate=BAUD)
        await serial.serve_forever(background=True)
        said = {"rtu": device}
    print(json.dumps(said), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2]))
