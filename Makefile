# The two commands of the README, and what they need.

# Mesa's device-selection layer looks for a display and complains where there is none.
export NODEVICE_SELECT := 1

.PHONY: train test test-adapters test-python adapter toolchain bench peers check clean

train: adapter
	cargo run --release -- train

test: adapter toolchain
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo test
	cargo run --quiet --example train_and_sample
	cargo run --quiet --example encode
	cargo run --quiet --example anomaly
	./tests/adapters.sh

# The whole suite on each adapter that this machine has, and a table of what came of it.
test-adapters: adapter toolchain
	./tests/adapters.sh test

# What other programs make of our files: ONNX, safetensors and TensorBoard events, in Python.
test-python: PYTHON := $(CURDIR)/target/python
test-python: adapter
	test -x $(PYTHON)/bin/python || python3 -m venv $(PYTHON)
	$(PYTHON)/bin/pip install --quiet -r tests/python/requirements.txt
	VAE_GPU_PYTHON=$(PYTHON)/bin/python cargo test --test export --test tracking -- onnxruntime tensorboard

# A GPU adapter, Mesa's software one if there is none.
adapter: toolchain
	@./tests/install-adapter.sh

toolchain:
	@command -v cargo >/dev/null || { echo "Rust is missing: install it from https://rustup.rs and try again"; exit 1; }

bench: adapter
	cargo bench

# This program beside PyTorch, JAX and burn. A peer that cannot be installed or built is reported as such.
peers: PEERS := benches/peers
peers: adapter
	python3 -m venv $(PEERS)/.venv
	-xargs -n 1 $(PEERS)/.venv/bin/pip install --quiet < $(PEERS)/requirements.txt
	-cargo build --release --locked --manifest-path $(PEERS)/burn/Cargo.toml
	cargo build --release
	$(PEERS)/.venv/bin/python $(PEERS)/compare.py

check: adapter
	cargo run --release -- check

clean:
	cargo clean
