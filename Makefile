# The two commands of the README, and their parts. Each first makes sure of the Debian packages it needs
# (as root it installs them, otherwise it stops with their list).
#
#   make quickstart   build the gateway and start it, with a mock provider and a fresh key
#   make test         everything that CI checks
#   make check        the fast part of it: format, lint, dependencies, unit tests
#   make fuzz         look for inputs that break the formats, FUZZ_SECONDS for each target

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

ALL := --workspace --lib --bins --tests --examples

# cargo-nextest where it is installed; it would take longer to build than it saves.
ifneq ($(shell cargo nextest --version 2>/dev/null),)
run-tests := cargo nextest run
# The slow ones have a stage of their own.
only-faults := -E 'binary(faults)'
not-faults := -E 'not binary(faults)'
else
run-tests := cargo test --no-fail-fast
endif

# How long each target of the fuzzer runs; the targets, by default all.
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?= $(shell sed -n 's/^name = "\(.*\)"/\1/p' tests/fuzz/Cargo.toml | tail -n +2)

.PHONY: help quickstart test check fuzz fmt lint deps sdk package doc build all-tests feature-tests fault-tests unit-tests
.NOTPARALLEL:

help:
	@sed -n '/^#/!q;s/^# \{0,1\}//p' Makefile

# Without etcd, which it does not need, and which takes protoc to build.
quickstart: packages-run
	cargo run --profile quickstart -p aisix-bin --no-default-features --bin aisix -- quickstart

test: packages-test fmt lint deps sdk package doc feature-tests fault-tests all-tests

check: packages-check fmt lint deps unit-tests

packages-%:
	@.ci/packages $*

# Stable Rust will do: the formats hold no unsafe code, so there is nothing for a sanitizer to find.
fuzz: packages-fuzz
	cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
	cargo run --quiet --manifest-path tests/fuzz/Cargo.toml --example seeds
	for target in $(FUZZ_TARGETS); do \
		cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none $$target -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1; \
	done

fmt:
	cargo fmt --all -- --check
	cargo fmt --manifest-path tests/fuzz/Cargo.toml -- --check

lint:
	cargo clippy --workspace --all-targets -- -D warnings

deps:
	.ci/deps-check

sdk:
	.ci/sdk

# Builds each library from the very files that its package would hold. In a folder of its own, because
# cargo keeps what it has unpacked for a path, and would check against the libraries of the last time.
package:
	folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	cargo package --workspace --exclude aisix-bin --exclude aisix-tests --exclude aisix-load --exclude aisix-docs \
		--exclude 'example-*' --allow-dirty --quiet --target-dir "$$folder"

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	cargo test --workspace --doc --quiet

# The journeys start the binary, which no test of another package builds by itself.
build:
	cargo build $(ALL)

all-tests: build sdk
	$(run-tests) $(ALL) $(not-faults)

# Storms of changes, and etcd that is paused, killed or without a leader: about half a minute. Without
# cargo-nextest they are among all tests.
fault-tests: build
	@echo "== faults: configuration under storms and outages of etcd =="
	$(if $(only-faults),$(run-tests) $(ALL) $(only-faults))

# What only a feature switches on: reqwest as a transport, the embedded store, etcd (with real etcd), and the
# interleavings of the limit store.
feature-tests:
	$(run-tests) -p aisix-core -p aisix-providers -p aisix-sources --all-features --lib --tests

unit-tests:
	$(run-tests) --workspace --lib --bins
