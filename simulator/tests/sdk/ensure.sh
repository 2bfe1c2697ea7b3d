#!/usr/bin/env bash
# Makes sure that the official AppLink SDKs are installed, as the lock files here pin them, and prints the one directory
# that holds them: `python`, a virtual environment, and `node/node_modules`. Whatever else it has to say goes to stderr.
# Called by the Makefile; safe when several call it at once. It runs no package's install script and touches nothing
# outside .tools and the package managers' own caches.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=$(cd "$here/../../.." && pwd)/.tools
exec 3>&1 1>&2

say() { echo "sdks: $*"; }

fail() {
    say "$@"
    exit 1
}

digest() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c1-12; }

# Pins, this script and the interpreter that the virtual environment is bound to name the directory.
directory() {
    local hash
    hash=$(cd "$here" && {
        python3 --version
        cat package.json package-lock.json requirements.txt ensure.sh
    } | digest)
    echo "$tools/sdks-$hash"
}

# quietly WHAT COMMAND...: what the command says is shown only where it fails.
quietly() {
    local what=$1 said status=0
    shift
    said=$("$@" 2>&1) || status=$?
    if [ "$status" != 0 ]; then
        echo "$said"
        fail "$what failed: '$1' ended with $status; the lines above are what it said"
    fi
}

install() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        fail "Python 3.10 or newer is needed, this is $(python3 --version)"
    node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' ||
        fail "Node 20 or newer is needed, this is $(node --version)"
    say "installing the AppLink SDKs for Python and Node"
    rm -rf "$1"
    mkdir -p "$1/node"
    quietly "making a virtual environment" python3 -m venv "$1/python"
    quietly "installing the Python SDK" "$1/python/bin/python" -m pip install --quiet --disable-pip-version-check \
        --only-binary :all: --require-hashes --requirement "$here/requirements.txt"
    cp "$here/package.json" "$here/package-lock.json" "$1/node"
    cd "$1/node"
    quietly "installing the Node SDK" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    touch "$1/complete"
}

for program in python3 node npm; do
    command -v "$program" >/dev/null || fail "$program is needed to install the AppLink SDKs, and is not on PATH"
done
dir=$(directory)
if [ ! -e "$dir/complete" ]; then
    mkdir -p "$tools"
    if command -v flock >/dev/null; then
        exec 9>"$tools/sdks.lock"
        flock -n 9 || {
            say "someone else is installing them: waiting"
            flock 9
        }
        find "$tools" -maxdepth 1 -name 'sdks-*' -type d -mtime +7 -exec rm -rf {} + # a week unused
    fi
    # Another may have installed them while we waited.
    [ -e "$dir/complete" ] || install "$dir"
fi
touch "$dir"
echo "$dir" >&3
