# SPDX-License-Identifier: Apache-2.0
# Sourced after venv.sh: make the virtual environment of the Keystone that tests log in to.

# prepare_keystone TOP: afterwards TOP/.venv-keystone has Keystone. Does nothing when its requirements have not changed since the
# last time.
prepare_keystone() {
    local top=$1 venv=$1/.venv-keystone stamp want
    make_venv "$venv" || return 1
    stamp=$venv/.trove-keystone
    want=$(sha256sum <"$top/tools/lib/keystone-requirements.txt" | cut -d' ' -f1)
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && return 0
    echo "==> installing Keystone into $venv"
    "$venv/bin/python" -P -m pip install -q --disable-pip-version-check -r "$top/tools/lib/keystone-requirements.txt" || return 1
    echo "$want" >"$stamp"
}
