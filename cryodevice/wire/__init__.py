"""The contract with the firmware: registers, faults and frames of wire version 1.0. Facts only, no I/O, no direction.

``docs/wire.md`` is the same contract in prose; a test holds the two together. The host's codec lives in
``cryodevice.device``, the wand's in ``firmware_sim.endpoints``; both read their facts here.
"""
