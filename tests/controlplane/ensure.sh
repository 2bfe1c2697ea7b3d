#!/usr/bin/env bash
# Makes sure that the local control plane is built, and prints the one directory that holds `controlplane`, `kubectl`,
# `helm`, `kubeconform` and `health`, which judges what tests record; whatever else it has to say goes to stderr. Called by
# the Makefile, deploy/demo.sh and CI; safe when several call it at once. It starts no server and touches nothing outside
# .tools and Go's own caches.
#
# What is there already is used: kubectl and Helm 4 on PATH, and the etcd, kube-apiserver and kubectl of
# $KUBEBUILDER_ASSETS.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=$(cd "$here/../.." && pwd)/.tools
beat=5 # seconds between two lines of progress
child=
work=
exec 3>&1 1>&2

say() { echo "controlplane: $*"; }

fail() {
    say "$@"
    exit 1
}

clean_up() {
    if [ -n "$child" ]; then kill "$child" 2>/dev/null || true; fi
    if [ -n "$work" ]; then rm -rf "$work"; fi
}

digest() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c1-12; }

# Sources, pins and this script (for its build flags) name the directory; a test's source does not count.
directory() {
    local kind=full
    if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then kind=assets; fi
    local hash
    hash=$(cd "$here" && {
        echo "$kind"
        find . \( -name '*.go' ! -name '*_test.go' -o -name 'go.*' -o -name ensure.sh \) -print |
            LC_ALL=C sort | while read -r file; do echo "$file" && cat "$file"; done
    } | digest)
    echo "$tools/controlplane-$hash"
}

complete() {
    local program
    for program in controlplane kubectl helm kubeconform health; do [ -x "$1/$program" ] || return 1; done
}

# with_progress LOG DESCRIBE COMMAND...: runs it with stderr to LOG; DESCRIBE makes a line of progress from LOG.
with_progress() {
    local log=$1 describe=$2 began=$SECONDS next=$((SECONDS + beat)) status=0
    shift 2
    "$@" 2>"$log" 9>&- &
    child=$!
    while kill -0 "$child" 2>/dev/null; do
        sleep 0.2
        if [ "$SECONDS" -ge "$next" ]; then
            say "$("$describe" "$log"), $((SECONDS - began)) s"
            next=$((SECONDS + beat))
        fi
    done
    wait "$child" || status=$?
    child=
    if [ "$status" != 0 ]; then
        tail -n 20 "$log"
        fail "'$1 $2' failed; the lines above are the end of what it said"
    fi
}

describe_fetch() { echo "fetched $(grep -c '^go: downloading' "$1" || true) Go modules"; }
describe_build() {
    local built
    built=$(grep -vc '^go: ' "$1" || true)
    if [ "$built" -lt $((total - 1)) ]; then echo "built $built of $total packages"; else echo "linking"; fi
}

list_stale() { go list -deps -f '{{if .Stale}}{{.ImportPath}}{{end}}' "$@" >"$work/stale"; }

# build OUTPUT PACKAGE...: compiles into $work.
build() {
    local output=$1 version major minor
    shift
    version=$(sed -n 's/^.*k8s.io\/kubernetes \(v[0-9.]*\)$/\1/p' go.mod)
    IFS=. read -r major minor _ <<<"${version#v}"
    local stamp=k8s.io/component-base/version
    with_progress "$work/fetch.log" describe_fetch list_stale "$@"
    total=$(grep -c . "$work/stale" || true)
    # Without its version the API server calls itself v0.0.0 and guards its features by a default.
    with_progress "$work/build.log" describe_build go build -v -buildvcs=false -o "$work/$output" \
        -ldflags "-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=$major -X $stamp.gitMinor=$minor" "$@"
}

# The kubectl to be linked, if the machine has one.
find_kubectl() {
    if [ -n "${KUBEBUILDER_ASSETS:-}" ] && [ -x "$KUBEBUILDER_ASSETS/kubectl" ]; then
        echo "$KUBEBUILDER_ASSETS/kubectl"
    else
        command -v kubectl || true
    fi
}

# The Helm to be linked, if the machine has one of the major version that the chart is tested with.
find_helm() {
    case "$(helm version --short 2>/dev/null || true)" in v4.*) command -v helm ;; esac
}

build_all() {
    command -v go >/dev/null || fail "Go is needed to build it, version $(sed -n 's/^go //p' go.mod) or newer: install it from https://go.dev/doc/install and see that \`go\` is on PATH"
    export CGO_ENABLED=0
    work=$(mktemp -d "$tools/building.XXXXXX")
    local kubectl helm launcher=. began=$SECONDS
    kubectl=$(find_kubectl)
    helm=$(find_helm)
    if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
        launcher=./assets
        say "building the launcher for the binaries in $KUBEBUILDER_ASSETS"
    else
        say "building etcd, kube-apiserver and controllers: 5 to 10 minutes the first time, then kept"
        say "to skip that, set KUBEBUILDER_ASSETS to a directory with etcd and kube-apiserver"
    fi
    build controlplane "$launcher"
    build health ./health
    build kubeconform github.com/yannh/kubeconform/cmd/kubeconform # a tool of go.mod, as Helm is
    if [ -n "$kubectl" ]; then
        ln -s "$kubectl" "$work/kubectl"
    else
        say "there is no kubectl on PATH: building it too"
        build kubectl ./kubectl
    fi
    if [ -n "$helm" ]; then
        ln -s "$helm" "$work/helm"
    else
        say "there is no Helm 4 on PATH: building it too"
        build helm helm.sh/helm/v4/cmd/helm
    fi
    rm -f "$work"/*.log "$work/stale"
    rm -rf "$1"
    mv "$work" "$1"
    work=
    say "built in $((SECONDS - began)) s"
}

dir=$(directory)
if ! complete "$dir"; then
    cd "$here"
    mkdir -p "$tools"
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    if command -v flock >/dev/null; then
        exec 9>"$tools/controlplane.lock"
        flock -n 9 || {
            say "someone else is building it: waiting"
            flock 9
        }
        rm -rf "$tools"/building.* # left by builds that were killed: the lock is ours
        find "$tools" -maxdepth 1 -name 'controlplane-*' -type d -mtime +7 -exec rm -rf {} + # a week unused
    fi
    # Another may have built it while we waited.
    complete "$dir" || build_all "$dir"
fi
touch "$dir"
echo "$dir" >&3
