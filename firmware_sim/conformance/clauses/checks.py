"""The checks of LEASE-07, row by row, and what a refusal leaves as it was. No single mistake can drive the plate.

Each order breaks the row it is for *and* rows after it: a wand that checks in another order answers with another code.
An order in mode 1 always has a second reason to be refused.
"""

from cryodevice.wire.codes import Capability, Flag, Mode, Refusal
from firmware_sim.conformance.blocks import RESET_KEY, Order, Status
from firmware_sim.conformance.clause import Group, Wants
from firmware_sim.conformance.verdict import SkippedError, expect
from firmware_sim.conformance.wand import Wand

GROUP = Group("Checks of an order")
NO_MODE, BAD_KEY = 3, 0x0BAD
_KEPT = ("token", "order_epoch", "order_sequence", "trip_code")


def unknown_echo(status: Status) -> int:
    """A sequence that no reply has carried: far ahead of the one just read."""
    return (status.sequence + 20_000) % 0x10000


def older(wand: Wand) -> int:
    """A number that is not newer than the last: that of the session's last stop."""
    return wand.status().order_sequence


@GROUP.clause("LEASE-07.2", "row 2: an order for another boot is refused (4) before all else", wants=Wants.ANY)
def boot_first(wand: Wand) -> str:
    """With another token, an old number and an unknown mode too; then with a wrong key."""
    status = wand.status()
    order = wand.make(
        status,
        boot_id=wand.identity.boot_id ^ 1,
        token=wand.fresh_token(),
        number=older(wand),
        mode=NO_MODE,
        lease_ms=wand.long_ms,
    )
    wand.refused(order, Refusal.BOOT_ID, "an order for another boot, with another token")
    wand.refused(
        wand.make(status, boot_id=wand.identity.boot_id ^ 1, key=BAD_KEY),
        Refusal.BOOT_ID,
        "an order for another boot, else with a bad key only",
    )
    return "4 twice"


@GROUP.clause("LEASE-07.3", "row 3: another token is refused (5) before number and mode", wants=Wants.ANY)
def token_second(wand: Wand) -> str:
    """With an old number and an unknown mode too."""
    order = wand.make(wand.status(), token=wand.fresh_token(), number=older(wand), mode=NO_MODE, lease_ms=wand.long_ms)
    wand.refused(order, Refusal.TOKEN, "an order with another token and an old number")
    return "5"


@GROUP.clause("LEASE-07.4", "row 4: a number that is not newer is refused (6) before mode", wants=Wants.ANY)
def number_third(wand: Wand) -> str:
    """With an unknown mode too."""
    order = wand.make(wand.status(), number=older(wand), mode=NO_MODE, lease_ms=wand.long_ms)
    wand.refused(order, Refusal.SEQUENCE, "an order with an old number and an unknown mode")
    return "6"


@GROUP.clause("LEASE-07.5", "row 5: an unknown mode, or one without its capability, is refused (8)", wants=Wants.ANY)
def mode_fourth(wand: Wand) -> str:
    """Modes 3 and 65535, and 2 without capability 8, with a setpoint, an echo and a key that are wrong too."""
    status, have = wand.status(), wand.identity.capabilities
    for mode in (NO_MODE, 0xFFFF):
        order = wand.make(status, mode=mode, setpoint=0x8000, echo=unknown_echo(status), key=BAD_KEY)
        wand.refused(order, Refusal.MODE, f"mode {mode}")
    if have & Capability.WARM:
        return "8 for modes 3 and 65535"
    order = wand.make(status, mode=Mode.WARM, setpoint=0x8000, echo=unknown_echo(status))
    wand.refused(order, Refusal.MODE, "mode 2 of a wand that cannot warm")
    return "8 for modes 3, 65535, and 2 without the capability"


@GROUP.clause("LEASE-07.7", "row 7: a setpoint out of the range announced is refused (1)", "CUTOUT-13")
def setpoint_sixth(wand: Wand) -> str:
    """One count outside each end refused; both ends and the middle pass on to the next row."""
    if not can_cool(wand):
        raise SkippedError("this wand has no capability to cool")
    status, who = wand.status(), wand.identity
    low, high = round(who.setpoint_min_degc * 100), round(who.setpoint_max_degc * 100)
    for setpoint in (low - 1, high + 1, -5000, 0x8000):
        order = wand.make(status, mode=Mode.COOL, setpoint=setpoint, echo=unknown_echo(status))
        wand.refused(order, Refusal.SETPOINT, f"cool to {signed(setpoint) / 100:.2f} °C without a lease")
    for setpoint in (low, high, (low + high) // 2):
        order = wand.make(status, mode=Mode.COOL, setpoint=setpoint, echo=unknown_echo(status))
        wand.refused(order, Refusal.LEASE_LENGTH, f"cool to {setpoint / 100:.2f} °C without a lease")
    return f"1 below {low / 100:.2f} and above {high / 100:.2f} °C"


def signed(word: int) -> int:
    """An i16 as a number."""
    return (word + 0x8000) % 0x10000 - 0x8000


def can_cool(wand: Wand) -> bool:
    """Whether the wand has what mode 1 needs."""
    need = Capability.CONTACT | Capability.TRIGGER | Capability.FAN_TACHOMETER | Capability.CUTOFF_RELAY
    return wand.identity.capabilities & need == need


@GROUP.clause("LEASE-07.8", "row 8: a lease too long, or none in mode 1, is refused (2)")
def lease_seventh(wand: Wand) -> str:
    """One ms above the longest, 65535 ms, and mode 1 with none; echo and key are wrong too."""
    status, longest = wand.status(), wand.identity.lease_max_ms
    for lease in {min(longest + 1, 0xFFFF), 0xFFFF} - {longest}:
        order = wand.make(status, lease_ms=lease, echo=unknown_echo(status), key=BAD_KEY)
        wand.refused(order, Refusal.LEASE_LENGTH, f"arming for {lease} ms, the longest being {longest}")
    if can_cool(wand):
        setpoint = round(wand.identity.setpoint_max_degc * 100)
        order = wand.make(status, mode=Mode.COOL, setpoint=setpoint, echo=unknown_echo(status), key=BAD_KEY)
        wand.refused(order, Refusal.LEASE_LENGTH, "mode 1 without a lease")
    return f"2 above {longest} ms, and for mode 1 with none"


@GROUP.clause("LEASE-07.9", "row 9: an unknown echo is refused (3) before the key")
def echo_eighth(wand: Wand) -> str:
    """Arming, with a wrong key too."""
    status = wand.status()
    order = wand.make(status, lease_ms=wand.long_ms, echo=unknown_echo(status), key=BAD_KEY)
    wand.refused(order, Refusal.ECHO, "arming with an unknown echo and a bad key")
    return "3"


@GROUP.clause("LEASE-19.key", "row 10: a key that is not 0 is refused (9) but on a reset of a trip")
def key_last(wand: Wand) -> str:
    """Also the reset key with a lease, and a reset of nothing."""
    for key, lease, what in (
        (BAD_KEY, wand.long_ms, "arming with a wrong key"),
        (RESET_KEY, wand.long_ms, "arming with the reset key"),
        (BAD_KEY, 0, "a reset with a wrong key"),
        (RESET_KEY, 0, "a reset while no trip is latched"),
    ):
        wand.refused(wand.make(wand.status(), lease_ms=lease, key=key), Refusal.RESET, what)
    return "9 four times"


@GROUP.clause("LEASE-08", "newer is 1 to 32767 ahead, also over the wrap")
def newer(wand: Wand) -> str:
    """By arming from a last number that a stop has set."""
    lease = wand.long_ms
    for last, ahead in ((100, 1), (100, 32_767), (65_535, 1), (65_000, 32_767)):
        wand.stop(number=last)
        number = (last + ahead) % 0x10000
        wand.accepted(wand.make(wand.status(), number=number, lease_ms=lease), f"number {number} after {last}")
    for last, ahead in ((100, 32_768), (100, 65_535), (65_535, 32_768), (10, 65_500), (100, 0)):
        wand.stop(number=last)
        number = (last + ahead) % 0x10000
        order = wand.make(wand.status(), number=number, lease_ms=lease)
        wand.refused(order, Refusal.SEQUENCE, f"number {number} after {last}")
    wand.number_from(100)
    return "accepted 1 and 32767 ahead, refused (6) 0, 32768 and more"


@GROUP.clause("LEASE-09.repeat", "an exact repeat is answered and changes nothing")
def repeat(wand: Wand) -> str:
    """Neither epoch nor deadline."""
    order = wand.make(wand.status(), lease_ms=wand.long_ms)
    first = wand.accepted(order, "arming")
    counted = wand.status().order_epoch
    wand.ticks(6)
    again = wand.accepted(order, "the same order once more")
    expect(wand.status().order_epoch == counted, "a repeat counted in the epoch")
    _runs_on(first, again, "a repeat")
    return "answered; epoch and deadline as before"


def _runs_on(before: Status, after: Status, what: str) -> None:
    """The deadline stands where it stood."""
    left = (before.uptime_ms + before.lease_remaining_ms - after.uptime_ms - after.lease_remaining_ms + 2**31) % 2**32
    expect(
        abs(left - 2**31) <= 45,
        f"{what} moved the deadline by {2**31 - left} ms (remaining {before.lease_remaining_ms} ms before, "
        f"{after.lease_remaining_ms} ms after {(after.uptime_ms - before.uptime_ms) % 2**32} ms)",
    )
    expect(after.has(Flag.LEASE_LIVE), f"{what} ended the lease")


@GROUP.clause("LEASE-09.other", "the same number with other words is no repeat (6)")
def no_repeat(wand: Wand) -> str:
    """Another lease, then another echo."""
    order = wand.make(wand.status(), lease_ms=wand.long_ms)
    wand.accepted(order, "arming")
    wand.refused(order._replace(lease_ms=order.lease_ms - 1), Refusal.SEQUENCE, "the same number with another lease")
    wand.ticks(2)
    wand.refused(order._replace(echo=wand.status().sequence), Refusal.SEQUENCE, "the same number with another echo")
    return "6 twice"


@GROUP.clause("LEASE-12.lease", "a refusal neither renews nor ends a lease")
def refusal_leaves(wand: Wand) -> str:
    """Refusals of every kind while armed."""
    first = wand.arm()
    wand.ticks(5)
    for order in _no_good(wand):
        if wand.order(order).status is not None:
            first = wand.arm()  # that it is accepted is for the clause of that row
            continue
        _runs_on(first, wand.status(), "a refusal")
    return "the deadline stood where it stood"


def _no_good(wand: Wand) -> list[Order]:
    status, lease = wand.status(), wand.long_ms
    return [
        wand.make(status, lease_ms=lease, boot_id=wand.identity.boot_id ^ 1),
        wand.make(status, lease_ms=lease, token=wand.fresh_token()),
        wand.make(status, lease_ms=lease, mode=NO_MODE),
        wand.make(status, lease_ms=lease, echo=unknown_echo(status)),
    ]


def all_wrong(wand: Wand, status: Status) -> Order:
    """An order that no wand accepts, whatever one check it lacks."""
    return wand.make(
        status, boot_id=wand.identity.boot_id ^ 1, token=wand.fresh_token(), mode=NO_MODE, lease_ms=0xFFFF, key=BAD_KEY
    )


@GROUP.clause("LEASE-12.count", "a refusal is named until the next one, and counted once", wants=Wants.ANY)
def refusal_counted(wand: Wand) -> str:
    """By last_refusal and refusals, through an accepted order."""
    before = wand.status()
    refusal = wand.order(all_wrong(wand, before)).refusal
    after = wand.stop()
    expect(after.last_refusal == refusal, f"last_refusal is {after.last_refusal} after a refusal ({refusal})")
    counted = (after.refusals - before.refusals) % 0x10000
    expect(counted == 1, f"one refusal was counted {counted} times")
    return f"{refusal} stands, counted once"


@GROUP.clause("LEASE-22", "an order is applied whole or not at all", wants=Wants.ANY)
def whole(wand: Wand) -> str:
    """After refusals, what an order sets is as before."""
    before = wand.status()
    for order in (
        wand.make(before, lease_ms=wand.long_ms, echo=unknown_echo(before)),
        wand.make(before, mode=NO_MODE, lease_ms=wand.long_ms),
        wand.make(before, token=wand.fresh_token(), lease_ms=wand.long_ms),
        wand.make(before, key=BAD_KEY),
    ):
        answer = wand.order(order)
        if answer.status is not None:
            before = wand.status()  # that it is accepted is for the clause of that row
            continue
        after = wand.status()
        changed = [name for name in _KEPT if getattr(before, name) != getattr(after, name)]
        if before.setpoint_degc != after.setpoint_degc:
            changed.append("setpoint_degc")
        expect(not changed, f"an order refused ({answer.refusal}) changed {', '.join(changed)}")
    return "token, number, epoch and setpoint as before"
