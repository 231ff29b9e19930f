# SPDX-License-Identifier: Apache-2.0
# Sourced: make the virtual environment of a checkout and install an extra of the project into it.

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    echo "Python 3.11 or newer is needed and was not found; on Debian: apt-get install python3" >&2
    return 1
}

make_venv() {
    local venv=$1 python
    [ -x "$venv/bin/python" ] && "$venv/bin/python" -m pip --version >/dev/null 2>&1 && return 0
    python=$(find_python) || return 1
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            echo "==> installing python3-venv"
            apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
        else
            echo "this Python cannot make virtual environments; on Debian: apt-get install python3-venv" >&2
            return 1
        fi
    fi
    rm -rf "$venv"
    "$python" -m venv "$venv"
}

# prepare_venv TOP EXTRA: afterwards TOP/.venv has the project with [EXTRA]. Does nothing when neither requirements nor
# packaging have changed since the last time.
prepare_venv() {
    local top=$1 extra=$2 venv=$1/.venv stamp want
    make_venv "$venv" || return 1
    stamp=$venv/.trove-$extra
    want=$(cat "$top/setup.cfg" "$top/pyproject.toml" "$top/requirements.txt" | sha256sum | cut -d' ' -f1)
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && return 0
    echo "==> installing trove[$extra] into $venv"
    # pbr asks git for a version and writes a change log; neither matters here, and git may refuse another user's checkout.
    git -C "$top" rev-parse HEAD >/dev/null 2>&1 || export PBR_VERSION=0.0.0
    export SKIP_WRITE_GIT_CHANGELOG=1 SKIP_GENERATE_AUTHORS=1
    "$venv/bin/python" -m pip install -q --disable-pip-version-check -e "$top[$extra]" || return 1
    echo "$want" >"$stamp"
}
