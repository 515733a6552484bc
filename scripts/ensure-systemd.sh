#!/bin/sh
# The unit and the device rules are judged by systemd's own tools. Install them when we may; say what to do when we may not.
set -u
PATH="$PATH:/usr/sbin:/sbin"
if command -v systemd-analyze >/dev/null && command -v udevadm >/dev/null; then exit 0; fi
if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
  echo "installing systemd and udev, for systemd-analyze and udevadm (apt)"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    systemd udev >/dev/null && exit 0
fi
echo "The tests of the service unit need systemd-analyze and udevadm, and they could not be installed from here." >&2
echo "Install them, then run this again:  sudo apt-get install systemd udev" >&2
exit 1
