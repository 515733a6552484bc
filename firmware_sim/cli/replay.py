"""``firmware-sim replay``: a device from a recording, on the kind of port it was recorded on."""

import argparse
import asyncio
import os
from contextlib import AsyncExitStack

from cryodevice.errors import ExitCode
from firmware_sim.cli.arguments import AUTO
from firmware_sim.cli.ending import told_to_end, until_ended
from firmware_sim.cli.output import complain, say
from firmware_sim.endpoints.loopback import Address
from firmware_sim.recording.replay import Replay, read
from firmware_sim.recording.tape import PROTOCOLS, tape_of


def run(options: argparse.Namespace) -> ExitCode:
    """Play it.

    Raises:
        CryodeviceError: The recording cannot be read, or the port not be had.
    """
    return asyncio.run(_replay(options))


async def _replay(options: argparse.Namespace) -> ExitCode:
    """Play a recording until all has been asked, a request was never recorded, or it is told to end."""
    places = {name: getattr(options, name) for name in PROTOCOLS}
    wanted = next((name for name, place in places.items() if place is not None), None)
    recording = read(options.file)
    if recording.cut:
        complain(f"{options.file}: its last line, {recording.cut}, is cut off; it is played without it")
    tape = tape_of(str(options.file), recording, wanted)
    name = wanted or tape.line
    on_tcp = name.endswith("tcp")
    play = Replay(tape if on_tcp else tape.on_one_connection(), str(options.file), options.match, fast=options.fast)
    place = places[name] or (Address("127.0.0.1", 0) if on_tcp else "")
    ended, parent = told_to_end(), os.getppid()
    async with AsyncExitStack() as stack:
        where = await play.open(stack, "" if place == AUTO else place)
        say({name: where, "pid": os.getpid(), "replay": str(options.file), "requests": tape.requests})
        over = asyncio.create_task(play.until_over())
        over.add_done_callback(lambda _: ended.set())
        await until_ended(ended, options.duration, parent if options.exit_with_parent else None)
        over.cancel()
    counts = {"played": play.played, "left_out": play.left_out, "repeated": play.repeated}
    say({**counts, "requests": tape.requests})
    if play.complaint or not play.over:
        complain(play.complaint or f"ended after {play.played} of {tape.requests} recorded requests")
        return ExitCode.FAILED
    return ExitCode.FINE
