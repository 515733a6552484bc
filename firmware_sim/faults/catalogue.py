"""Every fault by name. Put together from the tables of each place; the names are what scenarios and people write."""

from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType
from typing import Final

from firmware_sim.faults import (
    actuator_kinds,
    firmware_kinds,
    input_kinds,
    link_kinds,
    lying_kinds,
    master_kinds,
    sensor_kinds,
)
from firmware_sim.faults.kinds import FaultKind

_TABLES = (
    sensor_kinds.KINDS,
    input_kinds.KINDS,
    actuator_kinds.KINDS,
    firmware_kinds.KINDS,
    lying_kinds.KINDS,
    link_kinds.KINDS,
    master_kinds.KINDS,
)

CATALOGUE: Final[Mapping[str, FaultKind]] = MappingProxyType({kind.name: kind for kind in chain(*_TABLES)})
