# Sourced by .ci/run and .ci/long: how a step runs and what it prints.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TERM_COLOR=never
# One target directory for both workspaces, so that nothing is built twice.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
logs=$CARGO_TARGET_DIR/ci-logs
mkdir -p "$logs"

# step WHAT COMMAND...: silent while it works; its output is shown when it fails.
step() {
    local what=$1 start=$SECONDS log status
    shift
    log=$logs/${what//[^A-Za-z0-9]/-}.log
    # Not in an `if`: there bash would ignore `set -e` inside the step.
    set +e
    (set -euo pipefail && "$@") >"$log" 2>&1 </dev/null
    status=$?
    set -e
    if ((status != 0)); then
        cat "$log"
        echo "FAILED $what after $((SECONDS - start)) s, status $status" >&2
        exit 1
    fi
    echo "ok $what $((SECONDS - start))"
}

# skip WHAT WHY: a step that this machine cannot take.
skip() {
    echo "skipped $1: $2"
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# packages [NAME...]: installs what is missing of .ci/packages, and these.
packages() {
    local wanted missing=() name
    mapfile -t wanted < <(sed 's/#.*//' .ci/packages | awk 'NF { print $1 }')
    for name in "${wanted[@]}" "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || missing+=("$name")
    done
    ((${#missing[@]})) || return 0
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}")
    # A fresh machine has no package lists, a used one may have stale ones.
    as_root "${install[@]}" || { as_root apt-get update && as_root "${install[@]}"; }
}
