# An index of commands; what is longer than a line is a script.
.DEFAULT_GOAL := help
SHELL := bash
TOOLS := $(or $(ORCH_TOOLS),$(HOME)/.cache/orchestrator/tools)
export PATH := $(TOOLS)/bin:$(PATH):$(HOME)/.cargo/bin
NEXTEST := cargo nextest run --locked --profile $(if $(CI),ci,default)

.PHONY: help
help: ## List the commands.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' Makefile

.PHONY: run
run: ## Build and start everything in one process (orch dev); the first build takes some minutes.
	@scripts/run-dev.sh

.PHONY: test
test: tools ## Check and test everything, installing or starting what this machine lacks.
	@scripts/run-steps.sh fmt typos deny chart deploy build lint doc unit schemathesis crash chaos-controls chaos-quick

.PHONY: tools
tools: ## Install the checkers, and by apt what the build lacks.
	@scripts/install-tools.sh

.PHONY: services
services: ## Make sure of PostgreSQL and RabbitMQ; prints the variables that say where they are.
	@scripts/ensure-services.sh

.PHONY: fmt
fmt: ## Check the formatting; `cargo fmt` mends it.
	cargo fmt --all -- --check

.PHONY: typos
typos: ## Check the spelling.
	typos

.PHONY: lint
lint: ## Clippy on everything; warnings are errors.
	cargo clippy --workspace --all-targets --features e2e/faulty --locked -- -D warnings

.PHONY: doc
doc: ## Build the documentation; warnings are errors.
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --workspace --no-deps --document-private-items --locked

.PHONY: deny
deny: ## Check licenses, banned crates and sources of the dependencies.
	cargo deny --locked check licenses bans sources

.PHONY: build
build: ## Build all binaries and tests.
	cargo build --workspace --bins --locked
	$(NEXTEST) --workspace --no-run
	@scripts/check-no-faults.sh $(or $(CARGO_TARGET_DIR),target)/debug

.PHONY: unit
unit: ## Run all tests of the workspace against PostgreSQL and RabbitMQ.
	@eval "$$(scripts/ensure-services.sh)" && cargo build --workspace --bins --locked && $(NEXTEST) --workspace

.PHONY: e2e
e2e: ## Run the end-to-end tests only.
	@eval "$$(scripts/ensure-services.sh)" && cargo build --workspace --bins --locked && $(NEXTEST) --package e2e

# The folder of what cargo builds.
BUILT := "$${CARGO_TARGET_DIR:-target}"

.PHONY: chaos
chaos: ## Break everything while it works, and check what became of it; SEED=, SCENARIO=, PROFILE=.
	@cargo build --release --workspace --bins --locked
	@$(BUILT)/release/chaos --scale full

.PHONY: chaos-quick
chaos-quick: ## The short form of it, with the programs of the debug build.
	@cargo build --workspace --bins --locked
	@$(BUILT)/debug/chaos --scale quick --profile debug

.PHONY: chaos-long
chaos-long: ## The long form of it, which writes docs/chaos-results.md.
	@cargo build --release --workspace --bins --locked
	@$(BUILT)/release/chaos --scale long --markdown docs/chaos-results.md

.PHONY: chaos-controls
chaos-controls: ## Take guards out, and see that the checks notice.
	@cargo build --workspace --bins --locked
	@scripts/build-faulty.sh
	@$(BUILT)/debug/chaos controls --scale quick

.PHONY: bench
bench: ## Measure speed and cost on this machine, about ten minutes; figures in target/bench/summary.json.
	@scripts/ensure-services.sh >/dev/null
	cargo build --release --workspace --bins --locked
	"$${CARGO_TARGET_DIR:-target}/release/bench" --no-build $(BENCH)

.PHONY: soak
soak: ## Half an hour at 60 % of the load that the machine can bear; figures in target/bench/soak.json.
	@scripts/ensure-services.sh >/dev/null
	cargo build --release --workspace --bins --locked
	"$${CARGO_TARGET_DIR:-target}/release/bench" --no-build --only soak --out target/bench/soak.json $(SOAK)

.PHONY: crash
crash: ## Crash every service at every fault point (docs/fault-points.md), once each.
	@scripts/build-faulty.sh && eval "$$(scripts/ensure-services.sh)" && $(NEXTEST) --workspace --features e2e/faulty -E 'binary(crash_points)'

.PHONY: schemathesis
schemathesis: tools ## Try the API for a minute with requests made from its description; all checks on.
	cargo build --package orch --locked
	@scripts/schemathesis.sh quick

.PHONY: schemathesis-long
schemathesis-long: tools ## The same until 50,000 requests were sent.
	cargo build --package orch --locked
	@scripts/schemathesis.sh long

.PHONY: fuzz
fuzz: ## Fuzz what reads strangers' input, guided by coverage: FUZZ_SECONDS [180] for each target.
	@scripts/fuzz.sh $(or $(FUZZ_SECONDS),180)

.PHONY: load
load: ## Send 100,000 webhook deliveries, a fifth of them twice.
	@eval "$$(scripts/ensure-services.sh)" && LOAD_DELIVERIES=100000 $(NEXTEST) --release --package webhook-ingest --no-capture \
	  -E 'test(each_id_has_one_row)'

.PHONY: model-long
model-long: ## Play a million random sequences against the model of the store, on both databases; MODEL_SEQUENCES=.
	@eval "$$(scripts/ensure-services.sh)" && ORCH_MODEL_SEQUENCES=$(or $(MODEL_SEQUENCES),1000000) \
	  cargo nextest run --locked --profile long --workspace -E 'binary(model)'

.PHONY: chart
chart: ## Check the Helm chart with helm, kubectl and the schemas of Kubernetes.
	@scripts/check-chart.sh

.PHONY: deploy
deploy: ## Check Dockerfile, compose file, workflow and scripts.
	@scripts/check-deploy.sh
