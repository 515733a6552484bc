"""The two masters of the matrix of wrong replies: the wand object, and pymodbus's own client as it comes."""

from collections.abc import Sequence
from typing import Any

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from cryodevice.device import modbus_codec as codec
from cryodevice.device.link_wand import loop_time
from cryodevice.device.modbus_wand import ModbusWand
from cryodevice.errors import CryodeviceError
from cryodevice.quantities import Seconds
from cryodevice.wire.blocks import pack_identity, pack_order, pack_status
from tests.contracts.modbus_peer import ModbusPeer
from tests.contracts.peers import IDENTITY, RESTING, truth_for
from tests.contracts.wrong_modbus import ORDER, REFUSED, RIGHT, TAKEN

Client = AsyncModbusSerialClient | AsyncModbusTcpClient


async def ask_wand(wand: ModbusWand, function: int, timeout_s: Seconds) -> str:
    """What the wand object makes of the reply to one request of this function."""
    try:
        if function == 3:
            got: Any = await wand.identify(timeout_s)
            true: Any = IDENTITY
        elif function == 4:
            got, true = (await wand.read_status(timeout_s)).status, RESTING
        elif function == 23:
            got, true = (await wand.exchange(ORDER, timeout_s)).status, truth_for(ORDER)
        else:  # no tick uses FC 16: by the same way as all others, verified by the same function
            request = codec.write_request(ORDER)
            async with wand._turn:
                deadline_s = Seconds(loop_time() + timeout_s)
                await wand._ask(request, lambda reply: codec.verify(request, reply), deadline_s)
            got = true = None
    except CryodeviceError:
        return REFUSED
    return RIGHT if got == true else TAKEN


def bare_client(peer: ModbusPeer, timeout_s: float) -> Client:
    if not peer.on_tcp:
        return AsyncModbusSerialClient(peer.port, baudrate=115_200, timeout=timeout_s, retries=0, reconnect_delay=0)
    host, port = peer.port.removeprefix("socket://").split(":")
    return AsyncModbusTcpClient(host, port=int(port), timeout=timeout_s, retries=0, reconnect_delay=0)


async def ask_bare(client: Client, function: int, *, answers: bool) -> str:
    """What pymodbus makes of it; for a write, which brings nothing back, ``answers`` says whether it was right."""
    try:
        if function == 3:
            reply = await client.read_holding_registers(0x0000, count=24, device_id=1)
            true: Sequence[int] = pack_identity(IDENTITY)
        elif function == 4:
            reply, true = await client.read_input_registers(0x0100, count=32, device_id=1), pack_status(RESTING)
        elif function == 23:
            reply = await client.readwrite_registers(
                read_address=0x0100, read_count=32, write_address=0x0200, values=pack_order(ORDER), device_id=1
            )
            true = pack_status(truth_for(ORDER))
        else:
            reply = await client.write_registers(0x0200, pack_order(ORDER), device_id=1)
            return REFUSED if reply.isError() else RIGHT if answers else TAKEN
    except ModbusException:
        return REFUSED
    if reply.isError():
        return REFUSED
    return RIGHT if list(reply.registers) == true else TAKEN
