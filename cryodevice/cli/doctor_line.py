"""The doctor's looks at the line to the wand: is it there, may we, is it ours alone, who answers. Orders nothing.

Where a daemon of ours has the wand, ``doctor_daemon`` asks that daemon instead, and the line is left alone.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from cryodevice.app import wand_of, wand_url
from cryodevice.cli import doctor_checks as judged
from cryodevice.cli.doctor_case import Case
from cryodevice.cli.doctor_checks import Result, fail, ok, skip
from cryodevice.device.wand import Wand
from cryodevice.errors import CryodeviceError, LinkTimeoutError, PortUnavailableError, WireError
from cryodevice.quantities import Seconds
from cryodevice.runtime.clock import SystemClock
from cryodevice.settings import Settings, rules
from cryodevice.transport import ports
from cryodevice.wire.blocks import Status
from cryodevice.wire.codes import Flag

CONNECT_S = Seconds(3.0)
OTHERWISE_S = 1.0
"""Longest search for a wand that answers under other settings, all tries together (engineering default)."""
LOOK_S, LOOK_EVERY_S = 0.25, 0.012
"""How long it is watched whether somebody else orders: one at 10 Hz or more has done so meanwhile."""
REPLY_S = Seconds(0.2)
"""Longest wait for one reply of that watch. A late answer is an answer; how late is judged by ``round_trip``."""
SIBLINGS = {"serial": "modbus-rtu", "modbus-rtu": "serial", "tcp": "modbus-tcp", "modbus-tcp": "tcp"}
"""The other protocol on the same line."""
FACTORY_UNIT = 1
"""The Modbus unit of a wand that nobody has given another (docs/wire.md)."""


def _over_tcp(case: Case) -> bool:
    return case.settings.link.kind.endswith("tcp")


async def port(case: Case) -> Result:
    """Is there such a port? Over TCP only connecting tells; who answers there is then known too."""
    name = case.settings.link.port
    if _over_tcp(case):
        return await _tcp_port(case)
    try:
        os.stat(name)  # noqa: PTH116  # a symlink's target is what must be there
    except OSError as error:
        return fail(ports.explain(name, error, ports.present()).message, "plug the wand in, or set link.port")
    lasting = "" if not name.startswith("/dev/tty") else "; a name under /dev/serial/by-id would survive replugging"
    return ok(f"{name} is there{lasting}")


async def _tcp_port(case: Case) -> Result:
    where = wand_url(case.settings)
    if not case.no_daemon:
        return skip(f"{where} is left to the daemon")
    if failure := await _unopened(case):
        todo = "switch the wand and its converter on, and see that link.host and link.tcp_port are right"
        return fail(failure.message, todo)
    return ok(f"{where} takes connections")


async def permission(case: Case) -> Result:
    """May this user open it?"""
    name = case.settings.link.port
    if _over_tcp(case):
        return skip("does not apply to TCP")
    if not os.access(name, os.R_OK | os.W_OK, effective_ids=True):
        denied = ports.explain(name, PermissionError(13, "Permission denied"))
        return fail(denied.message, "or run this as the user the daemon runs as")
    return ok("this user may read and write it")


async def baud(case: Case) -> Result:
    """Can the line carry one exchange in its time? Loaded settings always can; this says by how much."""
    if _over_tcp(case):
        return skip("does not apply to TCP")
    link, control = case.settings.link, case.settings.control
    if clash := next(rules.link_rules(link, control), None):  # pragma: no cover  # the loader has refused it
        return fail(clash.why, f"link.baud: {clash.allowed}")
    return ok(f"{link.baud} bit/s carry {control.rate_hz:g} exchanges a second")


async def exclusive(case: Case) -> Result:
    """Is the line ours alone, and does nobody order the wand by another?"""
    name = case.settings.link.port
    if not _over_tcp(case):
        if users := await asyncio.to_thread(ports.users, name):
            return fail(
                f"{name} is open in {', '.join(users)}; a wand has one master",
                "end the other program, and keep it from starting again"
                " (ModemManager, brltty and consoles take any port)",
            )
        if failure := await _unopened(case):
            return fail(failure.message, "put that right, then run this again")
    opened = "connected" if _over_tcp(case) else "open for nobody else"
    if case.wand is None or case.identity is None:
        return ok(opened)
    looks = await _looked(case.wand)
    if len(looks) < 2:  # one shows no change
        return ok(f"{opened}; whether somebody else orders the wand could not be seen, it answered too seldom")
    first, last = looks[0], looks[-1]
    case.epoch = first.order_epoch
    orders = (last.order_epoch - first.order_epoch) & 0xFFFF
    lease_ms = max(1, last.lease_remaining_ms) if Flag.LEASE_LIVE in last.flags else 0
    if why := judged.another_master(orders, lease_ms, LOOK_S):
        return fail(why, "end that program: a wand has one master", orders=orders, lease_ms=lease_ms)
    return ok(f"{opened}, and nobody else orders the wand")


async def _unopened(case: Case) -> CryodeviceError | None:
    """Open the line and hear who is there; why it could not be opened, None when it could."""
    case.wand = wand_of(case.settings, SystemClock())
    try:
        case.identity = await case.wand.connect(CONNECT_S)
    except PortUnavailableError as error:
        return error
    except LinkTimeoutError as error:
        if not case.wand.counters.timeouts:  # nobody was asked yet: it was the opening that took too long
            return error
        case.unanswered = error
    except CryodeviceError as error:
        case.unanswered = error
    return None


async def _looked(wand: Wand) -> list[Status]:
    """What the wand showed, read over and over."""
    looks: list[Status] = []
    end_s = asyncio.get_running_loop().time() + LOOK_S
    while asyncio.get_running_loop().time() < end_s:
        with suppress(LinkTimeoutError, WireError):  # how good the replies are is judged by ``round_trip``
            looks.append((await wand.read_status(REPLY_S)).status)
        await asyncio.sleep(LOOK_EVERY_S)
    return looks


async def otherwise(settings: Settings) -> Mapping[str, object]:
    """The keys of ``[link]``, and their values, with which a wand answers on this line; empty when none does.

    Only its identity is asked for. Other units than the one of the factory are not tried: each silence takes its time.
    """
    link = settings.link
    tries: list[dict[str, object]] = [{"kind": SIBLINGS[link.kind]}]
    if link.unit != FACTORY_UNIT:
        modbus = link.kind.startswith("modbus")
        tries.append({"unit": FACTORY_UNIT} | ({} if modbus else {"kind": SIBLINGS[link.kind]}))
    for changes in tries:
        wand = wand_of(replace(settings, link=link.model_copy(update=changes)), SystemClock())
        try:
            await wand.connect(Seconds(OTHERWISE_S / len(tries)))
        except CryodeviceError:
            continue
        else:
            return changes
        finally:
            wand.close()
    return {}
