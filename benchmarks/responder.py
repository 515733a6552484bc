"""A neutral wand for both sides of the exchange measurement: a pty that answers each known request with its reply.

Judges nothing: it looks the request's bytes up. Prints its port, then answers until it is ended. With a baud rate as
its argument it first waits as long as request and reply would take on a line, ten bits a byte.
"""

import json
import os
import struct
import sys
import time
import tty

from cryodevice.device.serial_codec import exchange_request
from cryodevice.quantities import Celsius, Milliseconds
from cryodevice.wire.blocks import Order
from cryodevice.wire.codes import Mode
from cryodevice.wire.frame import REPLY_BIT, Frame, FrameType, encode_frame
from cryodevice.wire.registers import STATUS_COUNT

BITS_PER_BYTE = 10
CYCLE = 256
"""Frame sequences, and so the exchanges after which everything repeats."""
_PLAUSIBLE = (4711, 0, 60_000, 2, 0x0177, 0, 0, 0, 812, 808, 1415, 3120, 2400, 4500, 2400, 6100, 2300, 430, 800)


def order(frame_sequence: int) -> Order:
    """The cooling order that belongs to a frame sequence, 0...255."""
    return Order(frame_sequence + 1, Mode.COOL, Celsius(8.0), Milliseconds(500), 4711, 7, 0x1234)


def reply(frame_sequence: int) -> bytes:
    """A good status that shows the order of this frame sequence in force."""
    words = [*_PLAUSIBLE, frame_sequence + 1, 0xFFFF, 0xFFFF, 0x1234, 99, 0, 0, 0, 12, 7, 0, 0, 0]
    payload = struct.pack(f">{STATUS_COUNT}H", *words)
    return encode_frame(Frame(FrameType.EXCHANGE | REPLY_BIT, frame_sequence, payload))


def requests() -> list[bytes]:
    """The request of every frame sequence."""
    return [exchange_request(sequence, order(sequence)) for sequence in range(CYCLE)]


def serve(baud: float) -> None:
    """Answer for ever."""
    replies = {request: reply(sequence) for sequence, request in enumerate(requests())}
    master, held = os.openpty()
    tty.setraw(held)
    print(json.dumps({"port": os.ttyname(held)}), flush=True)
    heard = b""
    while True:
        heard += os.read(master, 4096)
        while b"\0" in heard:
            frame, heard = heard.split(b"\0", 1)
            if frame:
                answer = replies[frame + b"\0"]
                if baud > 0.0:
                    time.sleep((len(frame) + 1 + len(answer)) * BITS_PER_BYTE / baud)
                os.write(master, answer)


if __name__ == "__main__":
    serve(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)
