"""The wire in the wand's direction: requests decoded, replies encoded, on a pseudo-terminal and on TCP."""
