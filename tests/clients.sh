#!/usr/bin/env bash
# Real clients against the real server: builds it, installs the packages that the scripts need, runs
# them, and prints a summary. The clients of Piratchat and ChitChat need Python 3 with venv. The
# scripts that drive a browser need node, npm and Chromium; without these they are skipped. If CI is
# set, missing programs are installed instead, and a failure to do so fails the run.
#
#     clients.sh [SCRIPT]...        all of them if none is named:
#         seeds, crowd, crash, frames               in Python
#         browser, client, streams, offline, words  in a browser; `make test` runs these
#         chance                                    in a browser, at random: SEED=, STEPS=
set -euo pipefail
cd "$(dirname "$0")/.."
scripts=("$@")
[ $# -gt 0 ] || scripts=(seeds crowd crash frames browser client streams offline words chance)
python=${PYTHON:-python3}
venv=.venv
cargo build --quiet --bins --examples
built=${CARGO_TARGET_DIR:-target}/debug
SHANTY=$(realpath "$built/shanty")
export SHANTY PYTHONDONTWRITEBYTECODE=1

# Makes the virtual environment for the scripts in Python.
pythons() {
    local wanted=tests/conformance/requirements.txt
    if ! command -v "$python" > /dev/null; then
        echo "python3 is missing: install Python 3.10 or later, with its venv module" >&2
        return 1
    fi
    if ! cmp -s "$wanted" "$venv/wanted.txt"; then
        "$python" -m venv --clear "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted"
        cp "$wanted" "$venv/wanted.txt"
    fi
}

# Websocket frames, against an echo server.
frames() {
    local lines echo
    coproc ECHO { exec "$built/examples/echo" 0; }
    echo=$ECHO_PID
    read -r -u "${ECHO[0]}" lines
    local status=0
    "$venv/bin/python" tests/conformance/ws_conformance.py "${lines##* }" || status=$?
    kill "$echo"
    return $status
}

# Lists the missing programs for the scripts in a browser, by their Debian packages.
look() {
    CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || true)}
    FIREFOX=${FIREFOX:-$(command -v firefox-esr || command -v firefox || true)}
    export CHROMIUM FIREFOX
    lacking=()
    [ -n "$CHROMIUM" ] || lacking+=(chromium)
    case " ${scripts[*]} " in *" words "*) [ -n "$FIREFOX" ] || lacking+=(firefox-esr) ;; esac
    command -v node > /dev/null || lacking+=(nodejs)
    command -v npm > /dev/null || lacking+=(npm)
    command -v curl > /dev/null || lacking+=(curl)
}

# Installs the packages for the scripts in a browser; on failure sets `why`.
browse() {
    look
    if [ ${#lacking[@]} -gt 0 ] && [ -n "${CI:-}" ]; then
        local root=()
        [ "$(id -u)" -eq 0 ] || root=(sudo)
        "${root[@]}" apt-get update -qq &&
            "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get install -qq -y --no-install-recommends "${lacking[@]}" > /dev/null
        look
    fi
    if [ ${#lacking[@]} -gt 0 ]; then
        why="there is no ${lacking[*]} here; to have it: apt-get install ${lacking[*]}"
        return 1
    fi
    if [ "$(node -p 'parseInt(process.versions.node)')" -lt 20 ]; then
        why="it takes node 20, and this is $(node --version)"
        return 1
    fi
    local wanted=tests/browser/package-lock.json kept=tests/browser/node_modules/wanted.json
    cmp -s "$wanted" "$kept" && return 0
    if ! (cd tests/browser && npm ci --no-audit --no-fund); then
        why="npm does not get what it takes, and has said why"
        return 1
    fi
    cp "$wanted" "$kept"
}

why=
case " ${scripts[*]} " in
    *" seeds "* | *" crowd "* | *" crash "* | *" frames "*) pythons ;;
esac
case " ${scripts[*]} " in
    *" browser "* | *" client "* | *" streams "* | *" offline "* | *" words "* | *" chance "*) browse || [ -n "$why" ] ;;
esac
if [ -n "$why" ] && [ -n "${CI:-}" ]; then
    echo "the page is not tested in a browser, and here it must be: $why" >&2
    exit 1
fi

# What a server says of the faults that are provoked here would look like failures: it is shown
# where a check has failed, and not otherwise.
chatter='^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z (warn|error) '

passed=0 failed=0
results=$(mktemp)
trap 'rm -f "$results"' EXIT
for script in "${scripts[@]}"; do
    echo "== $script"
    status=0
    case $script in
        seeds | crowd | crash) "$venv/bin/python" "tests/conformance/$script.py" ;;
        frames) frames ;;
        browser | client | streams | offline | words | chance)
            if [ -z "$why" ]; then node "tests/browser/$script.mjs"; else echo "left out"; fi
            ;;
        *) echo "there is no $script" && false ;;
    esac 2>&1 | tee "$results" || status=$?
    counts=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$results" | tail -n 1)
    read -r good bad <<< "${counts:-0 0}"
    # One that ends badly without a failed check has failed all the same.
    [ $status -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    if [ "$bad" -eq 0 ] && grep -qE "$chatter" "$results"; then
        echo "$script shows what its server says, although nothing has failed" >&2
        bad=1
    fi
    passed=$((passed + good)) failed=$((failed + bad))
done
echo "== all"
echo "$passed passed, $failed failed"
[ -z "$why" ] || echo "NOT TESTED: the page in a browser, for $why"
[ $failed -eq 0 ]
