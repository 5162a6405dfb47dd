#!/bin/sh
# Tries the README's proxies (proxies.py) in a network of its own, where this machine has
# addresses that are no loopback addresses. Without the right to make one, that part is left out.
cd "$(dirname "$0")" || exit 1
try='ip link set lo up && ip address add 203.0.113.1/32 dev lo &&
    ip address add 203.0.113.2/32 dev lo && OUTSIDE="203.0.113.1 203.0.113.2" exec python3 proxies.py'
if unshare --net ip link set lo up 2>/dev/null; then
    exec unshare --net sh -c "$try"
fi
exec python3 proxies.py
