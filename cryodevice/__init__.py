"""cryodevice: the daemon that watches a cooled facial wand and lets it cool only while every interlock agrees."""

import os

# Before numpy is loaded: matrices of 20 to 70 rows gain nothing from threads, and on a busy machine a thread of the
# linear algebra that waits for another costs 10 to 100 ms.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
