"""The control loop and what keeps it alive: clock, bus, commands, ports, supervisor, liveness."""
