"""``python -m cryodevice``."""

import sys

from cryodevice.cli import main

sys.exit(main())
