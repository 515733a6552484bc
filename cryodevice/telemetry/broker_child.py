"""The process that becomes the embedded broker: dies with its parent, then turns into Mosquitto or runs iotcore.

Started by path, alone, so that it loads nothing of this package: arguments are the parent's process id, the kind, the
configuration file and, for Mosquitto, the program.
"""

import ctypes
import logging
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_MOSQUITTO_ARGUMENTS = 4


def main(arguments: list[str]) -> None:
    """Never returns."""
    parent, kind, configuration = int(arguments[0]), arguments[1], arguments[2]
    # Kept across exec, so it holds for Mosquitto too. Linux only, like the rest of the daemon's serial side.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # the parent died before the request was in place
        sys.exit(1)
    if kind == "mosquitto" and len(arguments) == _MOSQUITTO_ARGUMENTS:
        os.execv(arguments[3], [arguments[3], "-c", configuration])  # noqa: S606  # no shell is wanted
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # It reports every packet as an error of its router.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    from iotcore.iotcore import IotCoreBroker  # noqa: PLC0415  # optional, and 14 MB that Mosquitto does not need

    IotCoreBroker(config_path=configuration).run_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
