#!/usr/bin/env bash
# Runs tests, and fails also where nothing has failed but lines of the server's own are among the
# tests': warnings and errors that were provoked, which look like failures, and what the commands
# that tend a database say. Tests show those where they fail, and not otherwise.
#
#     quiet.sh COMMAND [WORD]...
set -euo pipefail
seen=$(mktemp)
trap 'rm -f "$seen"' EXIT
"$@" 2>&1 | tee "$seen"
if grep -nE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z (warn|error) |: sound, |panicked at' "$seen"; then
    echo "the lines above are the server's, and nothing has failed: keep them apart" >&2
    exit 1
fi
