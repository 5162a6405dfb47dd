# Everything that one does with Shanty. `make run` and `make test` need nothing but the Rust toolchain.

.PHONY: run test bench sim torture clients fmt lint size

# Starts it on port 7777 of every address, with shanty.db in this directory.
run:
	cargo run --release

# What must pass before anything is pushed.
test:
	cargo test

# Deliveries, memory and acknowledgements, beside what any program would have to pay.
bench:
	cargo bench --bench bench -- --window 8

# The simulator, for as many seeds as one has patience for.
SEEDS ?= 100000
sim:
	SEEDS=$(SEEDS) cargo test --release --lib simulation -- --nocapture

# Kills the server, cuts its connections, and compares what everybody has heard with the log.
KILLS ?= 200
torture:
	KILLS=$(KILLS) cargo test --release --test torture -- --nocapture

# Real clients of both protocols, and a browser where there is one: python3 with venv, and Rust.
clients:
	tests/clients/run.sh

fmt:
	cargo fmt

lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

size:
	cargo build --release
	ls -l target/release/shanty
