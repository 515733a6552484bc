"""Live control of a running wand over HTTP on loopback: the hand, the room, faults, time, and the truth."""
