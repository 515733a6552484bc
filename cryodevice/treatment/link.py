"""The daemon's side of the lease: claim, order sequence, epoch and lease arithmetic, reply by reply. Pure.

Holds what must be remembered between two replies to tell that the wand, the line and nobody else are at work.
"""

import math
from dataclasses import dataclass

from cryodevice.quantities import U16, Milliseconds, Seconds
from cryodevice.safety.readings import Reading
from cryodevice.safety.replacing import replace
from cryodevice.treatment.proof import since_ms
from cryodevice.wire.blocks import Identity, Order, Status
from cryodevice.wire.codes import Mode
from cryodevice.wire.registers import RESET_KEY

QUIET_BEFORE_CLAIM_S = 0.25
"""A wand is claimed only after nobody else has ordered it for this long, s: two and a half periods of the slowest
master that may cool (10 Hz, docs/architecture.md)."""
OTHERS_FOR_S = 1.0
"""For this long after its last sign another master is said to be there, s (engineering default)."""


@dataclass(frozen=True, slots=True)
class Link:
    """What is known of the line and the wand at its end.

    Args:
        identity: Who answered; None before the first identification.
        token: Our session token of this connection, chosen at random by the loop.
        claimed: Our token has been seen in force.
        rejected: Why what answered cannot be driven; empty when nothing speaks against it.
        order_sequence: Sequence of the last order built.
        epoch: Order epoch in the newest reply.
        unanswered: Orders sent since then without a reply: the wand may have accepted them or not.
        foreign_orders: Orders in the newest reply's epoch that were not ours; negative when ours were not counted.
        lease_ends_ms: Device uptime at which the lease ends as reckoned here; None without a lease.
        drive_until_ms: Device uptime up to which a sample may still show ordered current; None before the first.
        lease_error_ms: Lease remaining as told in the newest reply, less as reckoned.
        setpoint_error_k: Setpoint in force in the reply to the newest order, less the one ordered; NaN for none told.
        status_sequence: Status sequence of the newest reply; -1 before the first.
        sequence_since_s: Since when that sequence has been seen.
        replied_at_s: When the newest good reply came; -inf before the first.
        first_reply_s: When the first one came on this connection; inf before it.
        others_at_s: When the newest reply came that showed an order or a lease of somebody else; -inf for none.
    """

    identity: Identity | None = None
    token: int = 0
    claimed: bool = False
    rejected: str = ""
    order_sequence: int = 0
    epoch: int = 0
    unanswered: int = 0
    foreign_orders: int = 0
    lease_ends_ms: int | None = None
    drive_until_ms: int | None = None
    lease_error_ms: float = 0.0
    setpoint_error_k: float = 0.0
    status_sequence: int = -1
    sequence_since_s: Seconds = Seconds(0.0)  # noqa: RUF009  # a NewType call is the number itself
    replied_at_s: Seconds = Seconds(-math.inf)  # noqa: RUF009
    first_reply_s: Seconds = Seconds(math.inf)  # noqa: RUF009
    others_at_s: Seconds = Seconds(-math.inf)  # noqa: RUF009

    @property
    def sequence_age_s(self) -> float:
        """For how long the newest reply's status sequence has been standing still, s."""
        return self.replied_at_s - self.sequence_since_s

    @property
    def free(self) -> bool:
        """Whether the wand may be claimed: it has been watched for long enough, and nobody else orders it."""
        return self.replied_at_s - max(self.first_reply_s, self.others_at_s) >= QUIET_BEFORE_CLAIM_S

    @property
    def occupied(self) -> bool:
        """Whether the wand is not ours because somebody else orders it."""
        return not self.claimed and self.replied_at_s - self.others_at_s < OTHERS_FOR_S

    def nobody_else(self, status: Status) -> bool:
        """Whether no other token than ours was in force when this status was sampled."""
        return status.token in (0, self.token)

    def told_off(self, status: Status) -> bool:
        """Whether this status was sampled when the wand had no business driving any more.

        The reply that accepts a stop still carries the current of the tick before it (LEASE-23).
        """
        return self.drive_until_ms is None or since_ms(status.uptime_ms, self.drive_until_ms) > 0

    def order(
        self,
        reading: Reading,
        mode: Mode,
        *,
        setpoint_degc: float = 20.0,
        lease_ms: int = 0,
        reset: bool = False,
        claiming: bool = True,
    ) -> tuple["Link", Order]:
        """The next order for the wand that gave ``reading``, and the link that remembers its sequence.

        A stop that is not ``claiming`` carries no token and so brings none into force (LEASE-04).
        """
        sequence = (self.order_sequence + 1) % U16
        order = Order(
            sequence=sequence,
            mode=mode,
            setpoint_degc=setpoint_degc,  # type: ignore[arg-type]  # degC by name
            lease_ms=Milliseconds(lease_ms),
            echo=reading.status.sequence,
            boot_id=self.identity.boot_id if self.identity is not None else 0,
            token=self.token if claiming else 0,
            reset_key=RESET_KEY if reset else 0,
        )
        return replace(self, order_sequence=sequence), order


def connected(identity: Identity, token: int) -> Link:
    """A fresh link: nothing is claimed and nothing carries over from the one before."""
    return Link(identity=identity, token=token)


def missed(link: Link, sent: Order | None) -> Link:
    """The link after no good reply came to what was sent."""
    return replace(link, unanswered=link.unanswered + 1) if sent is not None else link


def answered(link: Link, reading: Reading, sent: Order | None, echo_uptime_ms: int, *, refused: bool) -> Link:
    """The link after a good reply.

    Args:
        link: As it was before.
        reading: The reply.
        sent: The order it answers; None for a status read.
        echo_uptime_ms: Device uptime of the status ``sent`` echoed.
        refused: The wand refused ``sent``, and ``reading`` was read after that.
    """
    status = reading.status
    accepted = sent is not None and not refused
    ours = 1 if accepted else 0
    since = (status.order_epoch - link.epoch) % U16
    foreign = 0 if ours <= since <= ours + link.unanswered else since - ours if since < U16 // 2 else -1
    first = link.status_sequence < 0
    lease_of_others = not link.claimed and status.lease_remaining_ms > 0
    claimed = link.claimed or (accepted and sent is not None and sent.is_stop and status.token == link.token)
    ends, until, setpoint_error_k = link.lease_ends_ms, link.drive_until_ms, link.setpoint_error_k
    if accepted and sent is not None:
        setpoint_error_k = _setpoint_error_k(status, sent)
        ends = (echo_uptime_ms + sent.lease_ms) if sent.lease_ms > 0 else None
        if sent.mode is not Mode.OFF:
            until = ends
        elif until is not None and since_ms(until, status.uptime_ms) > 0:
            until = status.uptime_ms
    same_boot = link.identity is not None and status.boot_id == link.identity.boot_id
    certain = same_boot and (accepted or link.unanswered == 0)
    reckoned = max(0, since_ms(ends, status.uptime_ms)) if ends is not None else 0
    moved_on = status.sequence != link.status_sequence
    return replace(
        link,
        claimed=claimed,
        epoch=status.order_epoch,
        unanswered=0 if accepted else link.unanswered,
        foreign_orders=foreign if link.claimed and same_boot else 0,
        lease_ends_ms=ends,
        drive_until_ms=until,
        lease_error_ms=float(status.lease_remaining_ms - reckoned) if claimed and certain else 0.0,
        setpoint_error_k=setpoint_error_k,
        status_sequence=status.sequence,
        sequence_since_s=reading.at_s if moved_on else link.sequence_since_s,
        replied_at_s=reading.at_s,
        first_reply_s=reading.at_s if first else link.first_reply_s,
        others_at_s=reading.at_s if lease_of_others or (foreign and not first) else link.others_at_s,
    )


def _setpoint_error_k(status: Status, sent: Order) -> float:
    """Setpoint in force less the one ordered, K; 0 for an order that sets none."""
    if sent.mode is Mode.OFF:
        return 0.0
    return status.setpoint_degc - sent.setpoint_degc if status.setpoint_degc is not None else math.nan
