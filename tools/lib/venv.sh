# SPDX-License-Identifier: Apache-2.0
# Sourced: make the virtual environment of a checkout and install an extra of the project into it.

#: MiB that the installation of an extra needs, with what pip unpacks meanwhile.
readonly INSTALLATION_MIB=450

free_mib() { df -Pm "$1" | awk 'NR == 2 {print $4}'; }

# require_space DIR MIB WHAT: else what fails says anything but that there is no room.
require_space() {
    local left
    left=$(free_mib "$1")
    [ "$left" -ge "$2" ] && return 0
    echo "no space left: $3 needs $2 MiB, and the file system of $1 has $left MiB free; free some and try again" >&2
    return 1
}

# doing LOG: what pip has begun last.
doing() { { grep -aE '^ *(Collecting|Downloading|Processing|Building|Installing) ' "$1" || true; } | tail -n 1 | cut -c 1-90; }

# with_progress WHAT LOG COMMAND…: run COMMAND with its output in LOG; say every ten seconds what it does, and why it failed.
with_progress() {
    local what=$1 log=$2 waited=0 child
    shift 2
    "$@" >"$log" 2>&1 &
    child=$!
    trap 'kill "$child" 2>/dev/null' INT TERM
    while kill -0 "$child" 2>/dev/null; do
        sleep 1
        waited=$((waited + 1))
        [ $((waited % 10)) -ne 0 ] || echo "    $what since $waited s: $(doing "$log")"
    done
    trap - INT TERM
    wait "$child" && return 0
    tail -n 20 "$log" >&2
    if grep -q 'No space left on device' "$log"; then
        echo "no space left while $what: free some on the file systems of $log and of ${TMPDIR:-/tmp}, and try again" >&2
    fi
    return 1
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
        [ -n "$candidate" ] || continue
        if "$candidate" -P -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    echo "Python 3.11 or newer is needed and was not found; on Debian: apt-get install python3" >&2
    return 1
}

make_venv() {
    local venv=$1 python
    [ -x "$venv/bin/python" ] && "$venv/bin/python" -P -m pip --version >/dev/null 2>&1 && return 0
    python=$(find_python) || return 1
    if ! "$python" -P -c 'import ensurepip, venv' 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            echo "==> installing python3-venv"
            apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
        else
            echo "this Python cannot make virtual environments; on Debian: apt-get install python3-venv" >&2
            return 1
        fi
    fi
    rm -rf "$venv"
    echo "==> making a virtual environment in $venv"
    "$python" -P -m venv "$venv"
}

# prepare_venv TOP EXTRA: afterwards TOP/.venv has the project with [EXTRA]. Does nothing when neither requirements nor
# packaging have changed since the last time.
prepare_venv() {
    local top=$1 extra=$2 venv=$1/.venv stamp want
    stamp=$venv/.trove-$extra
    [ -f "$stamp" ] || require_space "$top" "$INSTALLATION_MIB" "an installation" || return 1
    make_venv "$venv" || return 1
    want=$(cat "$top/setup.cfg" "$top/pyproject.toml" "$top/requirements.txt" | sha256sum | cut -d' ' -f1)
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && return 0
    echo "==> installing trove[$extra] into $venv"
    # pbr asks git for a version and writes a change log; neither matters here, and git may refuse another user's checkout.
    git -C "$top" rev-parse HEAD >/dev/null 2>&1 || export PBR_VERSION=0.0.0
    export SKIP_WRITE_GIT_CHANGELOG=1 SKIP_GENERATE_AUTHORS=1
    with_progress "installing" "$venv/install.log" \
        "$venv/bin/python" -P -m pip install --disable-pip-version-check -e "$top[$extra]" || return 1
    echo "$want" >"$stamp"
}
