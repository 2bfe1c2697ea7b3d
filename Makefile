# The commands of this project, each a line or two; `make help` lists them. What needs more than that is a script:
# tests/controlplane/ensure.sh, simulator/tests/sdk/ensure.sh, deploy/demo.sh, .ci/run.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ensure := tests/controlplane/ensure.sh
# Not `-p xtask`: that would compile the dependencies once more, with fewer features than `cargo build` here has.
xtask := cargo run --quiet --bin xtask --
# For the parts of the Go module that compile in seconds: with the standard library alone, or (health) with what
# build-controlplane has compiled before. The rest takes minutes.
go_quick := cd tests/controlplane && CGO_ENABLED=0 go
deny_version := 0.20.2
deny_bin := .tools/cargo-deny-$(deny_version)/bin/cargo-deny
deny := $(deny_bin) --locked --config .ci/deny.toml check --hide-inclusion-graph

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## compile the operator and the simulator for development
	cargo build

.PHONY: test
test: ## every test there is; the first time it builds a Kubernetes control plane too (5 to 10 minutes)
	@$(MAKE) -j2 build-controlplane build-tests
	@$(go_quick) test ./cluster ./assets
	@# Go does not see that a file outside its module has changed: the health check in deploy/argocd is one.
	@$(go_quick) test -count=1 ./health
	@# End to end, tests mostly wait: they run beside the others, and more at a time than there are cores.
	@$(MAKE) -j2 --output-sync=line test-e2e test-rest test-sdk

.PHONY: check
check: ## format, lints, docs, and that what is generated is what the code says
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --test e2e --test sdk -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --quiet --no-deps --lib --workspace
	$(xtask) crds --check
	$(xtask) docs --check
	@unformatted=$$(gofmt -l tests/controlplane); [ -z "$$unformatted" ] || { echo "gofmt -w is wanted by: $$unformatted"; exit 1; }
	@$(go_quick) vet ./cluster ./assets

.PHONY: crds
crds: ## write crds/, the CRDs of the Helm chart, and schemas/ from the code
	$(xtask) crds

.PHONY: docs
docs: ## write the generated parts of docs/ from the code, and check that every link resolves
	$(xtask) docs

.PHONY: manifests
manifests: ## write dist/install.yaml and dist/crds.yaml, for installation without Helm (IMAGE=name:tag is the operator's image)
	@mkdir -p dist
	@kubectl=$$(command -v kubectl || echo "$$($(ensure))/kubectl"); \
	"$$kubectl" kustomize crds >dist/crds.yaml; \
	"$$kubectl" kustomize deploy/base | sed '$(if $(IMAGE),s|image: applink-operator:.*|image: $(IMAGE)|)' >dist/install.yaml
	@ls -l dist/install.yaml dist/crds.yaml

.PHONY: bench
bench: ## measure the operator beside a floor and a naive controller, write docs/benchmarks.md (BENCH='apply at-rest --objects 200')
	cargo build --release -p applink-operator -p applink-simulator -p applink-bench --bins
	controlplane=$$($(ensure)); APPLINK_CONTROLPLANE="$$controlplane" target/release/applink-bench run --write $(BENCH)

.PHONY: demo
demo: ## see it work: control plane, simulator and operator, with a story (DEMO_EXIT=1 ends it, DEMO_KUBECONFIG=file uses your cluster, DEMO_CHART=1 the Helm chart)
	@deploy/demo.sh

.PHONY: run
run: ## run the operator from here against the cluster of KUBECONFIG (more flags: ARGS='...'); the CRDs must be there: kubectl apply --server-side -k crds
	cargo run --bin applink-operator -- run --leader-elect=false $(ARGS)

.PHONY: controlplane
controlplane: ## run the local control plane in the foreground and tell how to use it
	@bin=$$($(ensure)); \
	echo "When the path of a kubeconfig appears below, the API server is ready. Then, in another terminal:"; \
	echo "  export KUBECONFIG=$(CURDIR)/.demo/controlplane-by-hand/admin.kubeconfig"; \
	echo "  $$bin/kubectl get namespaces"; \
	echo "Ctrl-C stops it; what is in it is kept for the next time."; \
	exec "$$bin/controlplane" -dir .demo/controlplane-by-hand

.PHONY: deny
deny: $(deny_bin) ## refused crates, licences and sources of the dependencies
	$(deny) bans licenses sources

.PHONY: audit
audit: $(deny_bin) ## known vulnerabilities of the dependencies (fetches the advisory database)
	$(deny) advisories

.PHONY: clean
clean: ## remove what was built here; .tools, which takes long to build, stays
	cargo clean
	rm -rf .demo dist

# Below is what the commands above call.

.PHONY: build-controlplane build-tests build-simulator
build-controlplane:
	@$(ensure) >/dev/null

build-tests:
	cargo test --no-run
	cargo test --no-run --test e2e --test sdk

# What `cargo test --test e2e` starts but does not build. As a part of the tests it is built with the features that they
# have, so that nothing is compiled twice.
build-simulator:
	cargo test --quiet --no-run --test binary

.PHONY: test-e2e test-rest test-sdk
test-e2e: build-simulator
	APPLINK_CONTROLPLANE="$$($(ensure))" RUST_TEST_THREADS=6 cargo test --quiet --test e2e

test-rest:
	cargo test

test-sdk:
	sdks=$$(simulator/tests/sdk/ensure.sh); APPLINK_SDKS="$$sdks" cargo test --quiet --test sdk

$(deny_bin):
	cargo install --locked --root $(@D:/bin=) cargo-deny@$(deny_version)
