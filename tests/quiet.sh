#!/usr/bin/env bash
# Runs tests; also fails if all tests pass but the output contains log lines of the server or output
# of maintenance commands: provoked warnings and errors look like failures. A test must show such
# lines only when it fails.
#
#     quiet.sh COMMAND [WORD]...
set -euo pipefail
seen=$(mktemp)
trap 'rm -f "$seen"' EXIT
"$@" 2>&1 | tee "$seen"
if grep -nE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z (warn|error) |: sound, |panicked at' "$seen"; then
    echo "all tests pass, but the lines above are the server's: let the tests capture them" >&2
    exit 1
fi
