"""Recordings of a line: every frame with its time into a file, and a device played from one. Knows no physics."""
