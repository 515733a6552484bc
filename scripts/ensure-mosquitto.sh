#!/bin/sh
# The broker tests run against a real Mosquitto. Install it when we may; say what to do when we may not.
set -u
PATH="$PATH:/usr/sbin:/usr/local/sbin"
if command -v mosquitto >/dev/null && command -v mosquitto_sub >/dev/null; then exit 0; fi
if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
  echo "installing mosquitto and mosquitto-clients (apt)"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    mosquitto mosquitto-clients >/dev/null && exit 0
fi
echo "The broker tests need Mosquitto, and it could not be installed from here." >&2
echo "Install it, then run this again:  sudo apt-get install mosquitto mosquitto-clients" >&2
exit 1
