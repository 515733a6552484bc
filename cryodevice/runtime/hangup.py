"""What a SIGHUP means to this process: its terminal is gone, or somebody asks for a reload. Handles no signal itself.

docs/decisions/0012-sighup.md.
"""

import os
import signal


def terminal_is_ours() -> bool:
    """Whether a hang-up would mean that the terminal of this process is gone; to be asked before handlers are set.

    False without a controlling terminal (a service), and where the hang-up was to be ignored (``nohup``).
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return False
    try:
        descriptor = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    os.close(descriptor)
    return True
