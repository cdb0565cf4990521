# An index of commands; what is longer than a line is a script.
.DEFAULT_GOAL := help
SHELL := bash
TOOLS := $(or $(ORCH_TOOLS),$(HOME)/.cache/orchestrator/tools)
export PATH := $(TOOLS)/bin:$(PATH):$(HOME)/.cargo/bin
NEXTEST := cargo nextest run --locked --profile $(if $(CI),ci,default)

.PHONY: help
help: ## List the commands.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

.PHONY: run
run: ## Build and start everything in one process (orch dev); the first build takes some minutes.
	@scripts/run-dev.sh

.PHONY: test
test: tools ## Check and test everything, installing or starting what this machine lacks.
	@scripts/run-steps.sh fmt typos deny chart deploy build lint doc unit

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
	cargo clippy --workspace --all-targets --locked -- -D warnings

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

.PHONY: unit
unit: ## Run all tests of the workspace against PostgreSQL and RabbitMQ.
	@eval "$$(scripts/ensure-services.sh)" && cargo build --workspace --bins --locked && $(NEXTEST) --workspace

.PHONY: e2e
e2e: ## Run the end-to-end tests only.
	@eval "$$(scripts/ensure-services.sh)" && cargo build --workspace --bins --locked && $(NEXTEST) --package e2e

.PHONY: chart
chart: ## Check the Helm chart with helm, kubectl and the schemas of Kubernetes.
	@scripts/check-chart.sh

.PHONY: deploy
deploy: ## Check Dockerfile, compose file, workflow and scripts.
	@scripts/check-deploy.sh
