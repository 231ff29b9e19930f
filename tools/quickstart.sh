#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a clean checkout to a working database with one command. Safe to repeat.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
data_dir=$top/.trove
datastore=postgresql
address=()
action=start

usage() {
    cat <<TXT
usage: tools/quickstart.sh [--data-dir DIR] [--datastore NAME] [--port PORT] [--stop] [--help]

Installs Trove into .venv of this checkout, starts the service in the background, and makes an instance 'demo' with a database
and a user through the ordinary openstack client. Running it again shows the same instance; after an update of the checkout
it restarts the service with the new code, while databases go on.

  --data-dir DIR     where the service keeps everything (default: .trove in this checkout)
  --datastore NAME   engine of the instance: postgresql (default, and installed with Trove), or mariadb or mysql where
                     this host has it
  --port PORT        port of the API on 127.0.0.1 (default: 8779)
  --stop             stop the service and its databases; all data stays
  --help             show this text
TXT
}

die() { echo "quickstart: $*" >&2; exit 1; }
say() { echo "==> $*"; }

while [ $# -gt 0 ]; do
    case $1 in
        --data-dir) [ $# -ge 2 ] || die "--data-dir needs a directory"; data_dir=$2; shift 2 ;;
        --datastore) [ $# -ge 2 ] || die "--datastore needs a name"; datastore=$2; shift 2 ;;
        --port) [ $# -ge 2 ] || die "--port needs a number"; address=(--port "$2"); shift 2 ;;
        --stop) action=stop; shift ;;
        -h|--help) usage; exit 0 ;;
        *) usage >&2; die "unknown option: $1" ;;
    esac
done
if [ ${#address[@]} -gt 0 ]; then
    port=${address[1]}
    case $port in ''|*[!0-9]*) die "--port must be a number, not '$port'" ;; esac
    [ "$port" -ge 1 ] && [ "$port" -le 65535 ] || die "--port must be between 1 and 65535"
fi
case $data_dir in /*) ;; *) data_dir=$PWD/$data_dir ;; esac

venv=$top/.venv
case $datastore in
    postgresql|mariadb|mysql) ;;
    *) # what is installed says more, below
        [ -x "$venv/bin/trove-standalone" ] || die "--datastore must be postgresql, mariadb or mysql, not '$datastore'" ;;
esac
standalone=("$venv/bin/trove-standalone" --data-dir "$data_dir")

if [ "$action" = stop ]; then
    [ -x "$venv/bin/trove-standalone" ] || die "nothing is installed in $venv, so nothing is running"
    exec "${standalone[@]}" down
fi

# shellcheck source=tools/lib/venv.sh
. "$top/tools/lib/venv.sh"
prepare_venv "$top" standalone

# -P: the present directory may hold one named "trove", which Python would take for the package.
demo=("$venv/bin/python" -P -m trove.standalone.demo --data-dir "$data_dir" --datastore "$datastore")
"${demo[@]}" --check

say "starting the service"
"${standalone[@]}" up --detach "${address[@]}"

if [ -f "$data_dir/clouds.yaml" ]; then # else accounts are Keystone's, and the caller's environment says which
    export OS_CLIENT_CONFIG_FILE=$data_dir/clouds.yaml OS_CLOUD=trove-standalone
    unset OS_AUTH_URL OS_AUTH_TYPE OS_ENDPOINT OS_TOKEN OS_USERNAME OS_PASSWORD OS_PROJECT_ID OS_PROJECT_NAME || true
fi
exec "${demo[@]}" --script "$top/tools/quickstart.sh"
