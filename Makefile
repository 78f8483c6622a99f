# The two commands of the README, and what they need.

# Mesa's device-selection layer looks for a display and complains where there is none.
export NODEVICE_SELECT := 1

.PHONY: train test adapter toolchain bench check clean

train: adapter
	cargo run --release -- train

test: adapter toolchain
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo test
	./tests/adapters.sh

# A GPU adapter, Mesa's software one if there is none.
adapter: toolchain
	@./tests/install-adapter.sh

toolchain:
	@command -v cargo >/dev/null || { echo "Rust is missing: install it from https://rustup.rs and try again"; exit 1; }

bench: adapter
	cargo bench

check: adapter
	cargo run --release -- check

clean:
	cargo clean
