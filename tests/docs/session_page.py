"""Prints docs/session.md: ``python -m tests.docs.session_page > docs/session.md``."""

import sys

from cryodevice.treatment.session_page import page

if __name__ == "__main__":
    sys.stdout.write(page())
