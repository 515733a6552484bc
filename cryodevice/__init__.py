"""cryodevice: the daemon that watches a cooled facial wand and lets it cool only while every interlock agrees."""

__version__ = "0.1.0"
