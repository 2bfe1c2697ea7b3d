#!/usr/bin/env bash
# The product in a few minutes: starts a Kubernetes API server, a simulator of Heroku AppLink and the operator, and shows
# one object of each kind from creation to deletion. Called by `make demo`. It leaves no process behind; its files are in .demo.
#
#   DEMO_EXIT=1            exit when the demo is over, with its exit status, instead of running until Ctrl-C
#   DEMO_KUBECONFIG=FILE   use the cluster of this kubeconfig; the demo works only in its namespace applink-demo
#   DEMO_CHART=1           install the Helm chart, without a pod, and run the operator here with the rights that it grants
set -euo pipefail
case "${DEMO_KUBECONFIG:-/}" in
/*) ;;
*) DEMO_KUBECONFIG=$PWD/$DEMO_KUBECONFIG ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=$PWD
work=.demo
namespace=applink-demo
patience=60 # seconds for anything that should take a few
bin=${CARGO_TARGET_DIR:-target}/debug
pids=()     # running processes, in the order to stop them
names=()    # their names
suspects=() # logs to show if the current step fails
step="getting ready"
namespace_is_ours=
release=applink-demo # of the chart
chart_is_ours=
control_plane_build=

# Requests to this machine must not go through a proxy.
NO_PROXY=${NO_PROXY:-${no_proxy:-}}
export NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}"
export no_proxy=$NO_PROXY

# --- telling ---

# tell STEP [LOG...]: prints the next step, and remembers which logs explain a failure.
tell() {
    step=$1
    shift
    suspects=("$@")
    printf '\n==> %s\n' "$step"
}

fail() {
    echo "demo: $*" >&2
    exit 1
}

show() {
    printf '    $ %s\n' "$*"
    "$@" | sed 's/^/    /'
}

# --- processes and waiting ---

# launch NAME STDOUT COMMAND...: starts it in a process group of its own. Ctrl-C then reaches only this script, which stops
# the processes in an order that lets the operator finish.
launch() {
    local name=$1 out=$2
    shift 2
    set -m
    "$@" >"$out" 2>"$work/$name.log" </dev/null &
    set +m
    pids=("$!" ${pids[@]+"${pids[@]}"})
    names=("$name" ${names[@]+"${names[@]}"})
}

all_run() {
    local i
    for i in "${!pids[@]}"; do
        kill -0 "${pids[$i]}" 2>/dev/null || fail "the ${names[$i]} stopped unexpectedly (its log: $work/${names[$i]}.log)"
    done
}

# await WHAT COMMAND...: waits until the command succeeds.
await() {
    local what=$1 deadline=$((SECONDS + patience))
    shift
    until "$@"; do
        all_run
        [ "$SECONDS" -lt "$deadline" ] || fail "timed out after $patience s, waiting for: $what"
        sleep 0.1
    done
}

stop_all() {
    local pid
    for pid in ${pids[@]+"${pids[@]}"}; do
        kill -TERM "$pid" 2>/dev/null || continue
        local deadline=$((SECONDS + 15))
        while kill -0 "$pid" 2>/dev/null; do
            if [ "$SECONDS" -ge "$deadline" ]; then kill -KILL "$pid" 2>/dev/null || true; fi
            sleep 0.1
        done
        wait "$pid" 2>/dev/null || true
    done
    pids=()
}

# --- the end ---

# Cleans up the user's cluster. The simulator stops as well, so if the operator cannot finish, the finalizers protect nothing
# and can be removed.
leave_cluster() {
    local kinds=publications.applink.dev,dataactiontargets.applink.dev,authorizations.applink.dev object
    kinds+=,connections.applink.dev,applinkaddons.applink.dev
    [ -n "$namespace_is_ours" ] || return 0
    echo "==> Deleting the namespace $namespace from your cluster"
    if ! kubectl -n "$namespace" delete "$kinds" --all --timeout=20s >/dev/null 2>&1; then
        for object in $(kubectl -n "$namespace" get "$kinds" -o name 2>/dev/null); do
            kubectl -n "$namespace" patch "$object" --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null || true
        done
    fi
    if [ -n "$chart_is_ours" ]; then helm -n "$namespace" uninstall "$release" >/dev/null || true; fi
    kubectl delete namespace "$namespace" --timeout=60s >/dev/null ||
        echo "    the namespace $namespace was not deleted; try: kubectl delete namespace $namespace"
    echo "    The CRDs stay. 'kubectl delete -k crds' removes them, together with all of their objects."
}

finish() {
    local status=$?
    trap - EXIT
    trap '' INT TERM HUP
    if [ "$status" -gt 128 ]; then
        printf '\ndemo: stopped while: %s\n' "$step" >&2
    elif [ "$status" -ne 0 ]; then
        printf '\ndemo: failed while: %s\n' "$step" >&2
        (all_run) || true # names the process that stopped while a command was waiting for something else
        for log in ${suspects[@]+"${suspects[@]}"}; do
            printf -- '--- the end of %s\n' "$log" >&2
            tail -n 25 "$log" >&2 || true
        done
    fi
    if [ -n "${DEMO_KUBECONFIG:-}" ]; then leave_cluster; fi
    stop_all
    if [ -n "$control_plane_build" ]; then kill "$control_plane_build" 2>/dev/null || true; fi
    rm -f "$work/pid"
    exit "$status"
}

# --- the steps ---

get_ready() {
    command -v openssl >/dev/null || fail "the demo needs openssl to create a throwaway key: install the package 'openssl'"
    command -v curl >/dev/null || fail "the demo needs curl to talk to the simulator: install the package 'curl'"
    command -v cargo >/dev/null || fail "the demo needs Rust to build the operator: install it from https://rustup.rs"
    mkdir -p "$work"
    local other
    if other=$(cat "$work/pid" 2>/dev/null) && kill -0 "$other" 2>/dev/null; then
        fail "another demo is running here (process $other): stop it first, or remove $work/pid if that process is something else"
    fi
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    echo $$ >"$work/pid"
    rm -rf "$work/cluster" "$work/samples" "$work"/*.log "$work"/*.out "$work"/account.*
}

# Runs both builds at the same time. Each takes minutes the first time, and seconds if nothing changed.
build() {
    if [ -z "${DEMO_KUBECONFIG:-}" ]; then
        tell "Building the operator (Rust) and a Kubernetes control plane (Go). The first build takes minutes"
        echo "    To skip the control plane, use a cluster of yours: DEMO_KUBECONFIG=file"
        tests/controlplane/ensure.sh >"$work/tools.out" &
        control_plane_build=$!
    else
        tell "Building the operator and the simulator"
    fi
    # A progress bar would overwrite the lines of the other build.
    CARGO_TERM_PROGRESS_WHEN=never cargo build --bin applink-operator --bin applink-simulator || fail "cargo build failed, see above"
    if [ -n "$control_plane_build" ]; then
        wait "$control_plane_build" || fail "the control plane could not be built, see above"
        control_plane_build=
    fi
}

start_control_plane() {
    local tools
    tools=$(cat "$work/tools.out")
    export PATH="$tools:$PATH"
    tell "Starting a Kubernetes API server, with etcd and four controllers in one process" "$work/control-plane.log" "$work/cluster/controlplane.log"
    launch control-plane "$work/cluster.out" "$tools/controlplane" -dir "$work/cluster"
    await "the API server is ready" test -s "$work/cluster.out"
    KUBECONFIG=$(cat "$work/cluster.out")
    export KUBECONFIG
    echo "    ready: Kubernetes $(kubectl get --raw /version | sed -n 's/.*"gitVersion": "\(.*\)".*/\1/p')"
}

enter_cluster() {
    [ -r "$DEMO_KUBECONFIG" ] || fail "cannot read the file $DEMO_KUBECONFIG that DEMO_KUBECONFIG names"
    command -v kubectl >/dev/null || fail "the demo needs kubectl to use your cluster: install it first"
    export KUBECONFIG=$DEMO_KUBECONFIG
    tell "Using your cluster: context $(kubectl config current-context), namespace $namespace"
    if kubectl get namespace "$namespace" >/dev/null 2>&1; then
        fail "the namespace $namespace already exists, so the demo does not touch it; delete it if it is left over"
    fi
    # Two operators would fight over the objects of the demo.
    local others
    others=$(kubectl get deployments -A -l app.kubernetes.io/name=applink-operator -o name)
    [ -z "$others" ] || fail "this cluster already runs an operator ($others): use another cluster, or none"
    kubectl create namespace "$namespace" --save-config >/dev/null
    namespace_is_ours=yes
}

apply_crds() {
    tell "Installing the CRDs of AppLinkAddon, Connection, Authorization, Publication and DataActionTarget"
    if [ -n "${DEMO_KUBECONFIG:-}" ] && kubectl get -k crds >/dev/null 2>&1; then
        echo "    they exist already: unchanged"
        return
    fi
    kubectl apply --server-side -k crds | sed 's/^/    /'
    kubectl kustomize crds | kubectl wait --for=condition=Established --timeout="${patience}s" -f - >/dev/null
}

chart_wanted() { [ "${DEMO_CHART:-0}" != 0 ]; }

# Installs the chart for the demo's namespace. The operator runs on this machine, so the chart gets no pod.
install_chart() {
    tell "Installing the Helm chart, which brings the CRDs, an account for the operator, and its rights"
    command -v helm >/dev/null || fail "DEMO_CHART needs Helm: install version 4 from https://helm.sh/docs/intro/install"
    kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace" --save-config >/dev/null
    local crds=true
    if kubectl get -k crds >/dev/null 2>&1; then
        echo "    the CRDs exist already: unchanged"
        crds=false
    fi
    chart_is_ours=yes
    helm -n "$namespace" install "$release" deploy/helm/applink-operator --set "namespaces={$namespace}" \
        --set "replicaCount=0,image.repository=applink-operator,crds.enabled=$crds" | sed 's/^/    /'
    kubectl kustomize crds | kubectl wait --for=condition=Established --timeout="${patience}s" -f - >/dev/null
    local account=$release-applink-operator
    kubectl config view --raw --minify --flatten >"$work/account.kubeconfig"
    chmod 600 "$work/account.kubeconfig"
    # Not as an argument, which other users of this machine could read.
    kubectl -n "$namespace" create token "$account" --duration=12h >"$work/account.token"
    KUBECONFIG=$work/account.kubeconfig kubectl config set users.account.tokenFile "$root/$work/account.token" >/dev/null
    KUBECONFIG=$work/account.kubeconfig kubectl config set-context --current --user=account --namespace="$namespace" >/dev/null
}

start_simulator() {
    tell "Starting a simulator of Heroku and AppLink, so that no account is needed" "$work/simulator.log"
    launch simulator "$work/simulator.out" "$bin/applink-simulator" --listen 127.0.0.1:0
    await "the simulator listens" grep -qs '^listening on ' "$work/simulator.out"
    simulator=$(sed -n '1s/^listening on //p' "$work/simulator.out")
    echo "    ready: $simulator"
}

start_operator() {
    local only=()
    tell "Starting the operator" "$work/operator.log"
    local kubeconfig=$KUBECONFIG
    if [ -n "${DEMO_KUBECONFIG:-}" ] || chart_wanted; then only=(--namespace "$namespace"); fi
    if chart_wanted; then kubeconfig=$work/account.kubeconfig; fi
    launch operator "$work/operator.out" env KUBECONFIG="$kubeconfig" "$bin/applink-operator" run --allowed-host 127.0.0.1 \
        --admin-addr 127.0.0.1:0 --leader-elect=false ${only[@]+"${only[@]}"}
    await "the operator opens its admin endpoints" grep -qs 'admin endpoints on http' "$work/operator.log"
    local admin
    admin=$(sed -n 's/.*admin endpoints on \(http:[0-9./:]*\).*/\1/p' "$work/operator.log" | head -n 1)
    await "the operator is ready" curl -fs --max-time 5 -o "$work/ready.out" "$admin/readyz"
    echo "    ready: $admin"
}

# Uses the samples unchanged, except for the simulator's URL and token and a throwaway key.
make_samples() {
    mkdir -p "$work/samples"
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/samples/server.key" 2>/dev/null
    cat >"$work/samples/kustomization.yaml" <<END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: $namespace
resources:
- ../../deploy/samples
generatorOptions:
  disableNameSuffixHash: true
secretGenerator:
- name: heroku-api
  literals: [token=HRKU-demo-token]
- name: sf-jwt
  files: [server.key]
patches:
- target: {kind: AppLinkAddon}
  patch: |
    - {op: replace, path: /spec/platformURL, value: "$simulator"}
    - {op: replace, path: /spec/pollInterval, value: 10s}
END
}

objects() { kubectl -n "$namespace" "$@"; }
remote() { curl -fsS --max-time 5 "$@"; }
connection_id() { objects get connection production -o jsonpath='{.status.id}'; }
id_changed_from() {
    local now
    now=$(connection_id)
    [ -n "$now" ] && [ "$now" != "$1" ]
}

wait_ready() {
    objects wait --for=condition=Ready "$@" --timeout="${patience}s" | sed 's/^/    /' || {
        show_conditions
        return 1
    }
}

by_robots() { wait_ready applinkaddon/orders connection/production authorization/batch-user publication/orders-api; }

show_conditions() {
    local kind
    for kind in applinkaddons connections authorizations publications dataactiontargets; do
        objects get "$kind" -o jsonpath='{range .items[*]}{"    "}{.kind} {.metadata.name}: {range .status.conditions[*]}{.type}={.status} {.reason}: {.message}  {end}{"\n"}{end}'
    done
}

# Shows each object, what it represents, and its condition.
table() {
    echo "    KIND              NAME              REPRESENTS                                              READY  STATUS"
    local kind meaning
    while IFS='|' read -r kind meaning; do
        objects get "$kind" -o jsonpath='{range .items[*]}{.kind}{"|"}{.metadata.name}{"|"}{.status.conditions[?(@.type=="Ready")].status}{"|"}{.status.conditions[?(@.type=="Ready")].reason}{"\n"}{end}' |
            while IFS='|' read -r its_kind name ready reason; do
                printf '    %-17s %-17s %-55s %-6s %s\n' "$its_kind" "$name" "$meaning" "$ready" "$reason"
            done
    done <<'END'
applinkaddons|the AppLink add-on of one Heroku app
connections|the app is connected to an org
authorizations|the app may act as a Salesforce user
publications|the org may call the app's API
dataactiontargets|Data Cloud calls the app when data changes
END
}

create() {
    tell "Applying deploy/samples: one resource of each kind, and a second connection that a person must make" "$work/operator.log"
    make_samples
    show kubectl apply -k "$work/samples"
    tell "Waiting for the resources that need no person to become Ready" "$work/operator.log" "$work/simulator.log"
    by_robots
    show kubectl get applink -A
    echo "    The operator also wrote the credential of the authorization to a Secret, as its manifest asks:"
    show kubectl -n "$namespace" get secret batch-user-credentials
}

# The viewer may open the link. Otherwise the demo sends the form, as a browser would.
hand_over() {
    local secret=customer-data-connection-oauth link
    tell "A person must make the connection to Data Cloud: somebody opens a link and consents" "$work/operator.log" "$work/simulator.log"
    await "there is a link" has_secret "$secret"
    show kubectl -n "$namespace" get connection customer-data
    local print="kubectl -n $namespace get secret $secret -o go-template='{{.data.url | base64decode}}'"
    echo "    The link is in a Secret that the connection owns, and nowhere else:"
    echo "    \$ $print"
    link=$(objects get secret "$secret" -o go-template='{{.data.url | base64decode}}')
    echo "    $link"
    if [ -t 0 ] && [ "${DEMO_EXIT:-0}" = 0 ]; then
        echo "    Open it in a browser and press Allow, or press Enter to let the demo do it."
        until read -r -t 1 || connected; do all_run; done
    fi
    connected || remote -o "$work/consent.html" --data-urlencode decision=allow \
        --data-urlencode username=admin@example.com --data-urlencode org_id=00DSG000007a3BZ2AY "$link"
    show kubectl -n "$namespace" wait --for=condition=Ready connection/customer-data --timeout="${patience}s"
    await "the operator deletes the Secret" lacks_secret "$secret"
    echo "    The Secret with the link is gone, and the target that waited for the connection continues:"
    wait_ready dataactiontarget/customer-updates
    echo
    table
}

connected() { [ "$(objects get connection customer-data -o jsonpath='{.status.remoteStatus}')" = connected ]; }
has_secret() { objects get secret "$1" >/dev/null 2>&1; }
lacks_secret() { ! has_secret "$1"; }

# Changes only the document, in the ConfigMap that a pipeline would apply.
republish() {
    local before
    before=$(published)
    tell "Changing the API: its document in the ConfigMap is now version 1.1.0" "$work/operator.log" "$work/simulator.log"
    objects get configmap orders-openapi -o yaml | sed 's/^\( *version:\) 1.0.0$/\1 1.1.0/' | objects replace -f - | sed 's/^/    /'
    await "the API is published again" published_since "$before"
    objects get events.v1.events.k8s.io -o jsonpath='{range .items[?(@.reason=="Republished")]}{"    Event "}{.reason}{": "}{.note}{"\n"}{end}'
}

published() { objects get publication orders-api -o jsonpath='{.status.appliedHash}'; }
published_since() { [ "$(published)" != "$1" ]; }

heal() {
    local lost
    lost=$(connection_id)
    tell "Deleting the first connection in AppLink, behind the operator's back" "$work/operator.log" "$work/simulator.log"
    remote -X DELETE -o "$work/delete.out" "$simulator/_control/connections/$lost"
    echo "    gone: $lost. The operator polls every 10 s..."
    await "the operator creates the connection again" id_changed_from "$lost"
    by_robots
    echo "    restored: $(connection_id), and the API is published over it again"
}

remove() {
    tell "Deleting everything at once: the operator finds the right order" "$work/operator.log" "$work/simulator.log"
    show kubectl -n "$namespace" delete --timeout="${patience}s" applinkaddon/orders connection/production \
        connection/customer-data authorization/batch-user publication/orders-api dataactiontarget/customer-updates
    await "nothing is left in AppLink" remote_is_empty
    echo "    gone from Kubernetes and from AppLink: no connection, no authorization, no publication, no target is left"
}

remote_is_empty() {
    local world
    world=$(remote "$simulator/_control/world")
    for kind in connections authorizations publications dataActionTargets; do
        case "$world" in *"\"$kind\":[]"*) ;; *) return 1 ;; esac
    done
}

stay() {
    trap 'exit 0' INT TERM HUP # from now on, a signal to stop is no failure
    cat <<END

==> The demo is over. Everything still runs; look around from another terminal:

    export KUBECONFIG=$KUBECONFIG
    export PATH=$(dirname "$(command -v kubectl)"):\$PATH
    kubectl apply -k $root/$work/samples     # creates everything again
    kubectl get applink -A
    kubectl explain publication.spec
    curl $simulator/_control/world
    tail -f $root/$work/operator.log

    Press Ctrl-C to stop everything.
END
    while :; do
        sleep 1
        all_run
    done
}

get_ready
build
if [ -n "${DEMO_KUBECONFIG:-}" ]; then enter_cluster; else start_control_plane; fi
if chart_wanted; then install_chart; else apply_crds; fi
start_simulator
start_operator
create
hand_over
republish
heal
remove
if [ -n "${DEMO_EXIT:-}" ] && [ "$DEMO_EXIT" != 0 ]; then
    printf '\n==> The demo is over: %s s, builds included\n' "$SECONDS"
else
    stay
fi
