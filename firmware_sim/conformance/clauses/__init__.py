"""The clauses, group by group, in the order in which they are judged."""

from firmware_sim.conformance.clause import Clause, Group
from firmware_sim.conformance.clauses import checks, driving, estop, frames, identity, lease, modbus, pdu, status, stops

GROUPS: tuple[Group, ...] = (
    identity.GROUP,
    status.GROUP,
    stops.GROUP,
    checks.GROUP,
    lease.GROUP,
    frames.GROUP,
    pdu.GROUP,
    modbus.GROUP,
    estop.GROUP,
    driving.GROUP,
)


def every() -> list[Clause]:
    """All clauses of all groups."""
    return [clause for group in GROUPS for clause in group.clauses]
