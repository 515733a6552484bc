"""firmware_sim: the wand without the wand, in software, with real physics and the real wire."""
