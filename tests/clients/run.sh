#!/usr/bin/env bash
# Real clients of both protocols against the server: builds it, makes what the scripts need, runs
# them, and sums up. It takes Python 3 with venv, and Rust; a browser joins in where there are node,
# npm and Chromium.
#
#     run.sh [SCRIPT]...        seeds, crowd, crash, frames, browser, client, streams; all if none
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
if ! command -v "$python" > /dev/null; then
    echo "python3 is missing: install Python 3.10 or later, with its venv module" >&2
    exit 1
fi

scripts=("$@")
[ $# -gt 0 ] || scripts=(seeds crowd crash frames browser client streams)
venv=.venv
wanted=tests/clients/requirements.txt
if ! cmp -s "$wanted" "$venv/wanted.txt"; then
    "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$venv/wanted.txt"
fi
cargo build --quiet --bins --examples
built=${CARGO_TARGET_DIR:-target}/debug
SHANTY=$(realpath "$built/shanty")
export SHANTY PYTHONDONTWRITEBYTECODE=1

# Websocket frames, against a server that only echoes.
frames() {
    local lines echo
    coproc ECHO { exec "$built/examples/echo" 0; }
    echo=$ECHO_PID
    read -r -u "${ECHO[0]}" lines
    local status=0
    "$venv/bin/python" tests/clients/ws_conformance.py "${lines##* }" || status=$?
    kill "$echo"
    return $status
}

# A script that drives a browser.
browse() {
    local chromium
    chromium=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || true)}
    if [ -z "$chromium" ] || ! command -v node > /dev/null || ! command -v npm > /dev/null; then
        echo "left out: there is no node, npm or chromium here"
        return 0
    fi
    (cd tests/clients && npm ci --silent --no-audit --no-fund)
    CHROMIUM=$chromium node "tests/clients/$1.mjs"
}

passed=0 failed=0
results=$(mktemp)
trap 'rm -f "$results"' EXIT
for script in "${scripts[@]}"; do
    echo "== $script"
    status=0
    case $script in
        seeds | crowd | crash) "$venv/bin/python" "tests/clients/$script.py" ;;
        frames) frames ;;
        browser | client | streams) browse "$script" ;;
        *) echo "there is no $script" && false ;;
    esac 2>&1 | tee "$results" || status=$?
    counts=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$results" | tail -n 1)
    read -r good bad <<< "${counts:-0 0}"
    # One that ends badly without a failed check has failed all the same.
    [ $status -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    passed=$((passed + good)) failed=$((failed + bad))
done
echo "== all"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
