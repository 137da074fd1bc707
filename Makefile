# Hearth: `make run` starts a cloud on this machine, `make test` proves it, `make bench` measures it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

export PATH := $(HOME)/.cargo/bin:$(or $(HEARTH_TOOLS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/hearth-ci)/tools/bin:$(PATH)
# Every query is checked against the data in .sqlx, so that a build needs no database.
export SQLX_OFFLINE := true

TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help run test lint openapi bench

help: ## List the targets.
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 12

run: ## Install what is missing, build, and start the whole cloud. ARGS="--base-domain …" are passed on.
	@.ci/install run
	cargo build --locked --release -p hearth -p hearth-data-plane
	exec $(TARGET)/release/hearth up $(ARGS)

lint: ## Formatting, clippy, dependency rules.
	@.ci/install test
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo deny --locked --log-level error check bans licenses sources

# One selection of packages throughout, so that every dependency is compiled with one set of features, once.
test: lint ## Everything: lint, unit and integration tests, then journeys through a running cloud.
	cargo build --locked --workspace --bins
	RUST_TEST_THREADS=$(or $(HEARTH_TEST_THREADS),2) cargo test --locked --workspace --no-fail-fast

openapi: ## Write the control plane's OpenAPI document into the tree again.
	BLESS=1 cargo test --locked -p control-plane openapi

bench: ## Print the numbers of docs/ARCHITECTURE.md with their targets. ARGS="--only wake,gateway --sizes 0.1,1" narrows it down.
	@.ci/install bench
	cargo build --locked --release -p hearth -p hearth-data-plane
	# The driver only starts what is measured and what loads it, so it is built as the tests are.
	failed=
	HEARTH_BINARIES=$(abspath $(TARGET))/release cargo bench --locked --profile dev --workspace --bench numbers -- $(ARGS) || failed=1
	$(if $(ARGS),,cargo bench --locked -p schema-merge --bench merge || failed=1)
	[ -z "$$failed" ]
