"""Measurements of the project beside the raw library or a peer, in the same run. Imports nothing by itself."""
