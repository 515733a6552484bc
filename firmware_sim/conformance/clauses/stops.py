"""Stops and tokens: what a stop does, whose it may be, and how a session begins. The plate is never driven."""

from cryodevice.wire.codes import Flag, Refusal, State
from firmware_sim.conformance.blocks import Status
from firmware_sim.conformance.clause import Group, Wants
from firmware_sim.conformance.clauses.identity import is_zero
from firmware_sim.conformance.verdict import expect
from firmware_sim.conformance.wand import Wand

GROUP = Group("Stops and tokens")


@GROUP.clause("LEASE-01", "a stop is accepted with any number, echo, boot id and token", wants=Wants.ANY)
def any_stop(wand: Wand) -> str:
    """One word spoilt at a time, then all of them."""
    last = wand.stop().order_sequence
    boot, token = wand.identity.boot_id ^ 0x5555, wand.fresh_token()
    spoilt: dict[str, dict[str, int]] = {
        "an older number": {"number": (last - 5) % 0x10000},
        "an unknown echo": {"echo": 0xBEEF},
        "another boot id": {"boot_id": boot},
        "token 0": {"token": 0},
        "another token": {"token": token},
        "nothing right": {"number": (last - 9) % 0x10000, "echo": 0xDEAD, "boot_id": boot, "token": token ^ 1},
        "a setpoint out of range": {"setpoint": 0x8000},
    }
    for what, words in spoilt.items():
        wand.accepted(wand.make(**words), f"a stop with {what}")
    return f"{len(spoilt)} odd stops accepted"


@GROUP.clause("LEASE-02", "a stop ends the lease and opens the relay before its reply")
def stop_acts(wand: Wand) -> str:
    """Of an armed wand, by the reply itself."""
    wand.arm()
    after = wand.stop()
    _ended(wand, after, "in the reply to a stop")
    return "lease, relay and state are off in the reply"


def _ended(wand: Wand, status: Status, when: str) -> None:
    expect(not status.has(Flag.LEASE_LIVE), f"flag 0 (lease live) stands {when}")
    expect(status.lease_remaining_ms == 0, f"{status.lease_remaining_ms} ms of lease remain {when}")
    expect(not status.has(Flag.RELAY_CLOSED), f"flag 8 (relay closed) stands {when}")
    expect(status.state == State.OFF, f"state is {status.state} {when}")
    expect(is_zero(wand, status), f"{status.drive_ma} mA flow {when}")


@GROUP.clause("LEASE-03", "a stop by another token ends the lease and leaves no token in force")
def foreign_stop(wand: Wand) -> str:
    """With a token of somebody else, then with none."""
    other = wand.fresh_token()
    wand.arm()
    after = wand.stop(token=other)
    expect(after.token == 0, f"token 0x{after.token:04X} is in force after another's stop of a live lease")
    wand.begin()
    wand.arm()
    after = wand.stop(token=0)
    expect(after.token == 0, f"token 0x{after.token:04X} is in force after a stop with token 0 of a live lease")
    return "token 0 after both"


@GROUP.clause("LEASE-04", "a token enters force by a stop that carries it, non-zero", wants=Wants.ANY)
def token_enters(wand: Wand) -> str:
    """While no lease is live."""
    other = wand.fresh_token()
    after = wand.stop(token=other)
    expect(after.token == other, f"a stop with a fresh token left 0x{after.token:04X} in force")
    after = wand.stop(token=0)
    expect(after.token == other, f"a stop with token 0 and no lease live made the token in force 0x{after.token:04X}")
    return f"0x{other:04X} in force, and not displaced by 0"


@GROUP.clause("LEASE-05", "a stop of the session sets the last order number, another's does not", wants=Wants.ANY)
def stop_number(wand: Wand) -> str:
    """Older numbers too."""
    for number in (40_000, 7):
        wand.stop(number=number)
        after = wand.status()
        expect(
            after.order_sequence == number,
            f"a stop of the session with number {number} left order_sequence at {after.order_sequence}",
        )
    wand.stop(number=1234, token=0)
    after = wand.status()
    expect(after.order_sequence == 7, f"a stop with token 0 set order_sequence to {after.order_sequence}")
    wand.number_from(7)
    return "set by own stops to 40000 and 7; left at 7 by one with token 0"


@GROUP.clause("LEASE-06", "an order needs the token in force", "LEASE-04")
def needs_token(wand: Wand) -> str:
    """Arming with token 0, with another's, and where none is in force."""
    status = wand.status()
    lease = wand.long_ms
    for token, what in ((0, "token 0"), (wand.fresh_token(), "another token")):
        wand.refused(wand.make(status, lease_ms=lease, token=token), Refusal.TOKEN, f"arming with {what}")
    wand.arm()
    wand.stop(token=0)
    wand.refused(
        wand.make(wand.status(), lease_ms=lease, token=0), Refusal.TOKEN, "arming with token 0 while none is in force"
    )
    return "refused (5) three times"
