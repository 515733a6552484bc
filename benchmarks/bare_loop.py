"""The peer: the loop one writes without this project. Asks the wand 20 times a second, publishes 10 times a second.

No interlock, no lease, no reconnect, no dose, no check. Arguments: port of the wand, port of the broker, request (hex).
"""

import asyncio
import json
import struct
import sys
import time

import aiomqtt
import serial

PERIOD_S = 0.05


def decoded(data: bytes) -> bytes:
    out, position = bytearray(), 0
    while position < len(data) - 1:
        code = data[position]
        out += data[position + 1 : position + code] + b"\0"
        position += code
    return bytes(out)


async def main(port: str, broker: int, request: bytes) -> None:
    print("{}", flush=True)
    with serial.Serial(port, 115200, timeout=0.04) as line:
        async with aiomqtt.Client("127.0.0.1", broker) as client:
            due = time.monotonic()
            for tick in range(1 << 31):
                line.write(request)
                words = struct.unpack(">32H", decoded(line.read_until(b"\0"))[2:66])
                if tick % 2 == 0:
                    await client.publish("bare/telemetry", json.dumps({"time": time.time(), "words": words}))
                due += PERIOD_S
                await asyncio.sleep(due - time.monotonic())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3])))
