"""What an answer must show, whatever wire carried it: our kind of wand, our order. Knows no frames and no line."""

from collections.abc import Sequence

from cryodevice.errors import IdentityError, OrderRefusedError, WireError
from cryodevice.wire.blocks import Identity, Order, Status, unpack_identity
from cryodevice.wire.codes import Refusal
from cryodevice.wire.registers import WIRE_MAGIC, WIRE_VERSION


def our_identity(words: Sequence[int]) -> Identity:
    """Identity in the 24 registers of a wand this host may talk to (VERSION-01).

    Raises:
        IdentityError: Another magic or major version: not our wand.
    """
    identity = unpack_identity(words)
    if identity.magic != WIRE_MAGIC:
        raise IdentityError(
            f"what answers is not a wand: magic 0x{identity.magic:04X} where 0x{WIRE_MAGIC:04X} stands in one",
            magic=identity.magic,
        )
    if identity.wire_version >> 8 != WIRE_VERSION >> 8:
        raise IdentityError(
            f"the wand speaks wire version {_version(identity.wire_version)} and this program"
            f" {_version(WIRE_VERSION)}: update the older of the two",
            wire_version=identity.wire_version,
            serial_number=identity.serial_number,
        )
    return identity


def no_wand(error: WireError) -> IdentityError:
    """The error to raise when the answer to an identify request is none."""
    return IdentityError(f"what answers is not a wand: {error.message}", **error.evidence)


def showing(status: Status, order: Order) -> Status:
    """The status, which must show ``order`` in force (LEASE-02, LEASE-05, LEASE-23).

    Raises:
        WireError: It does not: it is not the answer to this order.
    """
    # A stop with a token that is not in force leaves the order sequence as it is; that the lease is over is its answer.
    shown = status.lease_remaining_ms == 0 if order.is_stop else status.order_sequence == order.sequence
    if not shown:
        raise WireError(
            f"the reply does not show order {order.sequence}: it shows {status.order_sequence},"
            f" lease {status.lease_remaining_ms} ms",
            order_sequence=status.order_sequence,
            sent=order.sequence,
            lease_remaining_ms=status.lease_remaining_ms,
        )
    return status


def refused(code: int, order: Order) -> OrderRefusedError:
    """The error to raise when the wand refused ``order``."""
    name = Refusal(code).name.replace("_", " ").lower() if code in set(Refusal) else "unknown reason"
    return OrderRefusedError(
        f"the wand refused order {order.sequence}: {name} ({code})", refusal=code, sequence=order.sequence
    )


def _version(version: int) -> str:
    return f"{version >> 8}.{version & 0xFF}"
