# The two commands of the README, and what they need.

# Mesa's device-selection layer looks for a display and complains where there is none.
export NODEVICE_SELECT := 1

.PHONY: train test test-adapters test-python fuzz fuzz-smoke miri mutants soak deny adapter toolchain bench peers check clean

train: adapter
	cargo run --release -- train

test: adapter toolchain
	cargo fmt --check
	cargo clippy --all-targets --features faults -- -D warnings
	cargo test --features faults
	cargo test --no-default-features --lib --test library
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --lib
	cargo run --quiet --features faults --example train_and_sample
	cargo run --quiet --features faults --example encode
	cargo run --quiet --features faults --example anomaly
	./tests/adapters.sh

# The whole suite on each adapter that this machine has, and a table of what came of it.
test-adapters: adapter toolchain
	./tests/adapters.sh test

# What other programs make of our files: ONNX, safetensors and TensorBoard events, in Python.
test-python: PYTHON := $(CURDIR)/target/python
test-python: adapter
	test -x $(PYTHON)/bin/python || python3 -m venv $(PYTHON)
	$(PYTHON)/bin/pip install --quiet -r tests/python/requirements.txt
	VAE_GPU_REQUIRE=python VAE_GPU_PYTHON=$(PYTHON)/bin/python cargo test --test export --test tracking -- onnxruntime tensorboard

# Every reader with hostile bytes, for so many seconds each. It needs cargo-fuzz, and a nightly compiler. No file of a
# few kilobytes may ask for more than 128 MiB at once; a decoder of TIFF asks for up to 256, which it does not touch.
# A thread that ends while the sanitizer looks seems to leak: leaks are not looked for.
FUZZ := cargo +nightly fuzz
FUZZ_SECONDS := 600
fuzz-smoke: FUZZ_SECONDS := 20
fuzz fuzz-smoke: toolchain
	@cargo fuzz --version >/dev/null 2>&1 || { echo "cargo-fuzz is missing: cargo install cargo-fuzz"; exit 1; }
	set -e; for seeds in tests/fuzz/seeds/*; do \
	    target=$$(basename $$seeds); mkdir -p tests/fuzz/corpus/$$target; echo "== $$target"; \
	    most=128; [ $$target != pictures ] || most=300; \
	    $(FUZZ) run --fuzz-dir tests/fuzz $$target tests/fuzz/corpus/$$target $$seeds -- \
	        -max_total_time=$(FUZZ_SECONDS) -timeout=10 -malloc_limit_mb=$$most -rss_limit_mb=1024 -detect_leaks=0; \
	done

# Licences, sources and versions of every crate and, where their list can be fetched, known holes.
deny: toolchain
	@cargo deny --version >/dev/null 2>&1 || { echo "cargo-deny is missing: cargo install cargo-deny"; exit 1; }
	cargo deny --offline check licenses sources bans
	@if cargo deny fetch db >/dev/null 2>&1; then cargo deny check advisories; \
	    else echo "the list of advisories cannot be fetched: not checked"; fi

# The tests of what needs no device and no foreign code, under the interpreter that finds undefined behaviour.
# Without the rules of aliasing: the compressor of zlib-rs, which tests use, breaks them. The crate has no unsafe code there.
miri: toolchain
	MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-disable-stacked-borrows" PROPTEST_CASES=1 \
	    cargo +nightly miri test --lib -- $(MIRI_TESTS)
# The interpreter would take an hour for a gzip bomb.
MIRI_TESTS := --skip gzip_bomb plan:: model::layout data::idx data::npy data::csv error:: run::metrics train::schedule

# Changes one thing after the other in what computes, and lists in target/mutants.out what no test notices. All of it takes days:
# MUTANTS names a part, such as MUTANTS="-f src/data/csv.rs" or MUTANTS="--shard 3/50".
mutants: adapter toolchain
	@cargo mutants --version >/dev/null 2>&1 || { echo "cargo-mutants is missing: cargo install cargo-mutants"; exit 1; }
	nice -n 19 cargo mutants --jobs 1 --copy-target true --output target $(MUTANTS)

# Half an hour of training, watched from outside.
soak: adapter
	cargo build --release
	python3 benches/soak.py

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
