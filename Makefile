# The front door. What is behind it: cargo, npm, xtask, and the two scripts in scripts/.

TARGET := $(or $(CARGO_TARGET_DIR),target)
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check bench

help: ## say what can be made (the default)
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build the server and run it with demo data in ./data; it says where to look
	@scripts/ensure build
	cargo build --release -p tidings
	$(TARGET)/release/tidings serve --demo --data-dir ./data

test: ## everything that must hold, suite by suite, stopping at the first that fails
	@scripts/test

check: ## formatting, lints, documentation links and house rules
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D rustdoc::broken_intra_doc_links" cargo doc --workspace --no-deps
	cargo xtask tidy

bench: ## measure on this machine; ARGS="..." goes to `tidings bench`
	@scripts/ensure build
	cargo build --release -p tidings
	$(TARGET)/release/tidings bench $(ARGS)
