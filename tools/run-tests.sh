#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All checks and tests, or some of them, from a clean checkout: nothing but git and Python 3.11 is needed beforehand.
set -uo pipefail

top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$top/.venv
work=$(mktemp -d)
passed=0 failed=0 skipped=0
summary=() verdicts=()
keystone_job=

usage() {
    cat <<'TXT'
usage: tools/run-tests.sh [PART | TEST]...

Without arguments: lint unit functional contract e2e. Each argument is one of these parts, or a test: a module, class or method
(trove.tests.unit.domain.test_fsm), or a file or folder of tests (trove/tests/unit/domain).

  lint         ruff, local checks, mypy, import contracts, sizes, test paths, documentation without warnings
  unit         no sockets, no processes; seconds
  functional   real databases, a real broker and a real Keystone, private and on loopback
  contract     one suite for all providers, one for all datastores
  e2e          the standalone service with real engines and the real clients
  docs         the documentation, the REST reference and the release notes only
  keystone     no test: makes .venv-keystone, which the tests after unit need

The first run makes .venv and .venv-keystone in the checkout and, as root, installs missing system packages (bindep.txt) without starting any
service. Asked for together, e2e, which mostly waits, runs beside functional and contract. What fails in one of these is run once more,
alone: if it passes then, it is reported as UNSTEADY and the part succeeds. TROVE_TEST_CONCURRENCY (2) is the number of test processes
of a part; TROVE_TEST_TIMEOUT_FACTOR (1) multiplies time limits.
TXT
}

say() { printf '==> %s\n' "$*"; }
die() { printf 'run-tests: %s\n' "$*" >&2; exit 1; }

restore_policy() {
    # Puts back what install_packages changed; safe to repeat.
    [ -f "$work/policy-ours" ] || return 0
    rm -f /usr/sbin/policy-rc.d
    if [ -e "$work/policy-theirs" ]; then cp -a "$work/policy-theirs" /usr/sbin/policy-rc.d; fi
    rm -f "$work/policy-ours"
}
cleanup() { restore_policy; rm -rf "$work"; }
interrupted() {
    # Tests end with this script; what they have started ends when their processes are gone.
    local group
    trap '' INT TERM
    for group in $(jobs -p); do kill -TERM -- "-$group" 2>/dev/null || true; done
    exit "$1"
}
trap cleanup EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM

beside() {
    # beside COMMAND...: run a command in a process group of its own; $! is its pid.
    set -m
    "$@" &
    set +m
}

prepare_python() {
    # shellcheck source=tools/lib/venv.sh
    . "$top/tools/lib/venv.sh"
    prepare_venv "$top" standalone || die "the virtual environment could not be made"
    local stamp=$venv/.trove-tests want
    want=$(cat "$top/test-requirements.txt" "$top/doc/requirements.txt" | sha256sum | cut -d' ' -f1)
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && return 0
    say "installing test requirements into $venv"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check \
        -r "$top/test-requirements.txt" -r "$top/doc/requirements.txt" || die "the test requirements could not be installed"
    echo "$want" >"$stamp"
}

install_packages() {
    # Packages of servers start them when they are installed, unless this file says no.
    if [ -e /usr/sbin/policy-rc.d ]; then cp -a /usr/sbin/policy-rc.d "$work/policy-theirs"; fi
    touch "$work/policy-ours"
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    local status=0
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } \
        >"$work/apt.log" 2>&1 </dev/null || status=$?
    restore_policy
    [ $status = 0 ] || { tail -n 30 "$work/apt.log" >&2; die "apt-get could not install: $*"; }
}

prepare_system() {
    local missing
    missing=$("$venv/bin/bindep" -b -f "$top/bindep.txt" test | tr '\n' ' ')
    missing=${missing%% }
    [ -n "${missing// /}" ] || return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing system packages: $missing"
        # shellcheck disable=SC2086  # one word for each package
        install_packages $missing
    elif command -v apt-get >/dev/null; then
        die "system packages are missing; run as root: apt-get install $missing"
    else
        die "system packages are missing: $missing"
    fi
}

begin_keystone() {
    # Its many dependencies are installed while the linters and unit tests run.
    # shellcheck source=tools/lib/keystone.sh
    . "$top/tools/lib/keystone.sh"
    prepare_keystone "$top" >"$work/keystone.log" 2>&1 </dev/null &
    keystone_job=$!
}

await_keystone() {
    # Before the first test that may need it.
    local start=$SECONDS job=$keystone_job
    [ -n "$job" ] || return 0
    keystone_job=
    wait "$job" || { tail -n 30 "$work/keystone.log" >&2; die "Keystone could not be installed into .venv-keystone"; }
    cat "$work/keystone.log"
    [ $((SECONDS - start)) -lt 2 ] || say "waited $((SECONDS - start)) s for Keystone"
}

record() {
    # record NAME STATUS SECONDS: one line of the summary.
    summary+=("$(printf '%-28s %-8s %4d s' "$1" "$2" "$3")")
}

check() {
    # check NAME COMMAND...: one linter; its output is shown when it fails.
    local name=$1 start=$SECONDS
    shift
    if "$@" >"$work/check.log" 2>&1; then
        passed=$((passed + 1)); record "$name" ok $((SECONDS - start))
    else
        cat "$work/check.log"
        say "FAILED: $name ($*)"
        failed=$((failed + 1)); record "$name" FAILED $((SECONDS - start))
    fi
}

documentation() {
    local part
    for part in doc api-ref releasenotes; do
        check "lint: $part" "$venv/bin/sphinx-build" -q -W --keep-going -b html -d "$work/$part-trees" \
            "$top/$part/source" "$work/$part-html"
    done
}

part_lint() {
    check "lint: ruff" "$venv/bin/ruff" check .
    check "lint: local checks" "$venv/bin/flake8" trove tools
    check "lint: mypy" "$venv/bin/mypy"
    check "lint: import contracts" "$venv/bin/lint-imports" --no-logo
    check "lint: sizes" "$venv/bin/python" tools/check_sizes.py
    check "lint: test paths" "$venv/bin/python" tools/check_test_paths.py
    documentation
}

stestr_run() {
    # stestr_run NAME ARGUMENTS...: run tests and add their totals up.
    say "$1"
    first_run "$@"
    judge "$@"
}

first_run() {
    # first_run NAME ARGUMENTS...: run tests; judge reads what is left in $work.
    local name=$1 start=$SECONDS status=0
    shift
    stestr_once "$name" "$work/$name.log" "$@" || status=$?
    all_ran "$name" "$@" || status=1
    echo "$status $((SECONDS - start))" >"$work/$name.ended"
}

judge() {
    # judge NAME ARGUMENTS...: what becomes of a part whose tests have been run; some get a second chance.
    local name=$1 start=$SECONDS status seconds ok bad skip word=FAILED log=$work/$1.log
    shift
    read -r status seconds <"$work/$name.ended"
    ok=$(total Passed "$log") bad=$(total Failed "$log") skip=$(total Skipped "$log")
    if [ "$status" != 0 ] && [ ! -s "$work/$name.missing" ] && [[ $name = functional || $name = contract || $name = e2e ]] &&
        passed_alone "$name" "$@"; then
        status=0 ok=$((ok + bad)) bad=0 word=UNSTEADY
    fi
    if [ "$status" != 0 ] && [ "$bad" = 0 ]; then bad=1; fi # an import error, a dead worker, or no test at all
    if [ "$status" = 0 ] && [ $word = FAILED ]; then word=ok; fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    record "$name" $word $((seconds + SECONDS - start))
}

run_beside_e2e() {
    # run_beside_e2e PART...: run e2e, which mostly waits, beside parts that compute. They are judged afterwards, when a second
    # chance is one on a quiet machine.
    local part lane
    await_keystone
    begin_servers
    say "e2e, and beside it $*"
    # shellcheck disable=SC2046  # words, here and below
    beside first_run e2e $(arguments_of e2e)
    lane=$!
    for part in "$@"; do first_run "$part" $(arguments_of "$part"); done
    wait "$lane"
    for part in "$@" e2e; do judge "$part" $(arguments_of "$part"); done
}

arguments_of() {
    echo --test-path "./trove/tests/$1" --top-dir ./ run --concurrency "${TROVE_TEST_CONCURRENCY:-2}"
}

begin_servers() {
    # The servers that tests share; they end with their standard input, so with this script.
    [ -z "${SERVERS_PID:-}" ] || return 0
    local given
    coproc SERVERS {
        exec "$venv/bin/python" -m trove.tests.fixtures.servers mysql postgresql rabbit keystone --serve 2>"$work/servers.log"
    }
    while read -r given && [ "$given" != ready ]; do export "${given?}"; done <&"${SERVERS[0]}"
    [ "${given:-}" = ready ] || { cat "$work/servers.log" >&2; die "the servers could not be started"; }
}

repository() {
    # repository NAME: where stestr keeps what it knows of a part; runs beside each other must not share it.
    local place=$venv/stestr/${1//[^a-zA-Z0-9_.-]/-}
    mkdir -p "$place"
    echo "${place#"$top"/}"
}

stestr_once() {
    # stestr_once NAME LOG ARGUMENTS...: run tests and show what is of use; the status is that of stestr.
    local name=$1 log=$2 status=0 command
    shift 2
    # stestr puts the path of its Python into a shell command, where a space would break it; a relative path has none.
    command=(env PYTHON=.venv/bin/python "$venv/bin/stestr" --repo-url "$(repository "$name")" "$@")
    # Waited for, because a signal that comes while a command runs would be looked at when that has ended.
    if [ -t 1 ]; then
        beside "${command[@]}" </dev/null > >(tee "$log") 2>&1
        wait $! || status=$?
    else
        beside "${command[@]}" </dev/null >"$log" 2>&1
        wait $! || status=$?
        # One line for each passed test is of no use in a log; what failed is shown in full.
        say "$name has ended"
        grep -vE '^\{[0-9]+\} .* (ok|SKIPPED.*)$' "$log"
    fi
    return $status
}

passed_alone() {
    # passed_alone NAME ARGUMENTS...: run what has just failed once more, one test after the other, and tell
    # loudly how that ended. A test that passes now is unsteady, which is a defect, but does not hold up everybody.
    local name=$1 arguments=() count status=0 log=$work/alone.log verdict
    shift
    "$venv/bin/stestr" --repo-url "$(repository "$name")" failing --list 2>/dev/null | sort -u >"$work/failing"
    count=$(wc -l <"$work/failing")
    # So many do not fail by accident.
    if [ "$count" = 0 ] || [ "$count" -gt 10 ]; then return 1; fi
    while [ $# -gt 0 ]; do
        case $1 in --concurrency) shift ;; *) arguments+=("$1") ;; esac
        shift
    done
    say "$name: $count failed; once more, alone"
    stestr_once "$name" "$log" "${arguments[@]}" --serial --load-list "$work/failing" || status=$?
    if [ $status = 0 ] && [ $(($(total Passed "$log") + $(total Skipped "$log"))) = "$count" ]; then
        verdict="UNSTEADY: failed among others, passed alone"
    else
        verdict="FAILED TWICE: at least one of these also failed alone"
        status=1
    fi
    verdict=$(printf '%s (%s)\n' "$verdict" "$name"; sed 's/^/    /' "$work/failing")
    verdicts+=("$verdict")
    printf '\n******** %s\n\n' "$verdict"
    return $status
}

all_ran() {
    # all_ran NAME ARGUMENTS...: whether every test that stestr lists for these has a result. When a worker process dies between
    # two tests, stestr forgets the rest of its share and still succeeds.
    local name=$1 arguments=() argument missing=$work/$1.missing
    shift
    : >"$missing"
    for argument in "$@"; do
        case $argument in
            run) arguments+=(list) ;;
            --no-discover) return 0 ;; # such a run is one process, whose status counts
            --concurrency | --serial | [0-9]*) ;;
            *) arguments+=("$argument") ;;
        esac
    done
    env PYTHON=.venv/bin/python "$venv/bin/stestr" "${arguments[@]}" 2>/dev/null | sort -u >"$work/$name.listed"
    # A test with scenarios is listed once and has a result for each, with the scenario in parentheses.
    "$venv/bin/stestr" --repo-url "$(repository "$name")" last --subunit 2>/dev/null | "$venv/bin/subunit-ls" |
        sed 's/(.*//' | sort -u >"$work/$name.ran"
    comm -23 "$work/$name.listed" "$work/$name.ran" >"$missing"
    [ -s "$missing" ] || return 0
    printf 'These tests were never run, because a test process died:\n'
    cat "$missing"
    return 1
}

total() {
    # total WORD FILE: the number stestr printed after WORD at the end of FILE, 0 if it printed none.
    local number
    number=$(sed -nE "s/^ - $1: ([0-9]+)\$/\1/p" "$2" | tail -n 1)
    echo "${number:-0}"
}

run_part() {
    case $1 in lint | docs | unit) ;; *) await_keystone ;; esac
    case $1 in functional | contract | e2e) begin_servers ;; esac
    case $1 in
        keystone) ;;
        lint) say lint; part_lint ;;
        docs) say docs; documentation ;;
        # shellcheck disable=SC2046  # words
        unit | functional | contract | e2e) stestr_run "$1" $(arguments_of "$1") ;;
        *) run_one "$1" ;;
    esac
}

run_one() {
    # A test may be named as Python or as a file does it; a folder is searched.
    local name=${1#./}
    name=${name#"$top"/}
    if [ -d "$name" ]; then
        stestr_run "${name//\//.}" --test-path "./$name" --top-dir ./ run --serial
    else
        name=${name%.py}
        name=${name//\//.}
        stestr_run "$name" run --no-discover "$name"
    fi
}

main() {
    local part line beside=()
    [ $# -gt 0 ] || set -- lint unit functional contract e2e
    for part in "$@"; do
        case $part in
            -h | --help) usage; exit 0 ;;
            lint | docs | unit | functional | contract | e2e | keystone | trove.tests.* | *trove/tests/*) ;;
            *) usage >&2; die "neither a part nor a test: $part" ;;
        esac
    done
    cd -- "$top" || exit 1
    prepare_python
    for part in "$@"; do
        case $part in lint | docs | unit) ;; *) begin_keystone; break ;; esac
    done
    for part in "$@"; do
        case $part in lint | docs | unit | keystone) ;; *) prepare_system; break ;; esac
    done
    for part in "$@"; do
        if [[ $part =~ ^(functional|contract)$ && " $* " = *" e2e "* ]]; then
            beside+=("$part")
        elif [ "$part" != e2e ]; then
            run_part "$part"
        fi
    done
    if [ ${#beside[@]} -gt 0 ]; then run_beside_e2e "${beside[@]}"; elif [[ " $* " = *" e2e "* ]]; then run_part e2e; fi
    say summary
    for line in "${verdicts[@]}"; do printf '******** %s\n' "$line"; done
    for line in "${summary[@]}"; do echo "$line"; done
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}

main "$@"; exit
