"""The conformance kit: asks a wand on any line whether it keeps docs/wire.md, clause by clause; leaves it stopped.

A host of its own, written from that page: it shares no codec with the daemon, and nothing at all with the wand in
software.
"""
