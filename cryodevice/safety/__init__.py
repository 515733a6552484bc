"""What must hold before the wand may cool. Pure: no clock, no I/O, no logger; time comes in as an argument."""
