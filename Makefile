# The house's commands. `make help` lists them; CI calls the same ones (.ci/run).
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup run test check sqlx peer bench chaos properties fuzz conformance-mutant

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing on Debian 12 or later; says what to do by hand elsewhere
	@scripts/setup dev

run: ## Start everything with demo data and six simulated chargers: http://127.0.0.1:8080
	@scripts/setup run
	@echo '==> Building (the first time takes some minutes)'
	@cargo build --quiet --bin forecourt
	@FORECOURT_DEMO=1 cargo run --quiet --bin forecourt -- demo

test: ## Run every test: pure, wire, database, browser, third-party client
	@scripts/setup dev
	@$(MAKE) --no-print-directory peer
# Tests wait more than they reckon: half as many again as there are cores.
	cargo nextest run --workspace --test-threads $$(( $$(nproc) * 3 / 2 ))

check: ## Formatting, lints, docs, licences, generated code, SQL metadata, firmware without std
	@scripts/setup dev
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items
	cargo deny check licenses bans sources
	cargo run --quiet --package ocpp --bin ocpp-gen -- --check
	scripts/sqlx --check
	cargo check --package evse-core --target riscv32imc-unknown-none-elf

sqlx: ## Renew crates/store/.sqlx after a query or a migration has changed
	scripts/sqlx

peer: ## Build the charge point on rust-ocpp, which the tests run; it has a lockfile of its own
	@echo '==> Building the charge point on rust-ocpp (the first time takes a minute or two)'
	@cargo build --quiet --locked --manifest-path simulators/peer/Cargo.toml \
		--target-dir $${CARGO_TARGET_DIR:-target}/peer

conformance-mutant: ## Play every scenario against a server that only answers: each must fail, and survivors are named
	cargo test --quiet --test conformance -- --exact a_server_that_only_answers_passes_none --nocapture

chaos: ## Kill the server and Postgres under load for an hour or two and compare (docs/chaos.md; ARGS='--kills 20')
	scripts/chaos $(ARGS)

properties: ## Try the properties of prices and invoices on a million random cases each, for an hour (CASES=1000000)
	PROPTEST_CASES=$(or $(CASES),1000000) cargo test --release --package billing --lib price::tests::properties
	PROPTEST_CASES=$(or $(CASES),1000000) cargo test --release --package billing --test invoices the_total_is_the_sum

fuzz: ## Fuzz what reads from the wire, a minute each (installs cargo-fuzz; SECONDS=60)
	scripts/fuzz $(or $(SECONDS),60)

bench: ## Measure against the floors, release build; ratios of one run are all that counts (docs/performance.md)
	scripts/bench
