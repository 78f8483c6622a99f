# The two commands of the README, and what they need.

# Mesa's device-selection layer looks for a display and complains where there is none.
export NODEVICE_SELECT := 1

.PHONY: train test emoji test-adapters test-mpi test-compilers lint-page test-python fuzz fuzz-smoke miri mutants soak deny package install-package assets deb \
    semver public-api adapter toolchain bench peers card check clean

train: adapter
	cargo run --release -- train

# What tests build: ranks of MPI are part of it where a machine has what they need.
FEATURES := faults$(shell ./tests/has-mpi.sh && echo ,mpi)
export FEATURES
test: adapter toolchain
	cargo fmt --check
	cargo clippy --all-targets --features $(FEATURES) -- -D warnings
	cargo test --features $(FEATURES)
	cargo clippy --no-default-features --lib --profile test -- -D warnings
	cargo test --profile quick --no-default-features --test library
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --lib --features $(FEATURES)
	cargo run --quiet --features $(FEATURES) --example train_and_sample
	cargo run --quiet --features $(FEATURES) --example encode
	cargo run --quiet --features $(FEATURES) --example anomaly
	./tests/adapters.sh
	./tests/package.sh size

# Emoji of 64x64 to train on, for those who want to; nothing else needs them. Google's, Apache-2.0, from the npm package
# emoji-datasource-google.
EMOJI := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vae-gpu/emoji
EMOJI_PACKAGE := emoji-datasource-google
EMOJI_VERSION := 16.0.0
emoji:
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js from https://nodejs.org and try again"; exit 1; }
	mkdir -p $(EMOJI)
	test -e $(EMOJI)/$(EMOJI_PACKAGE)-$(EMOJI_VERSION).tgz || \
	    (cd $(EMOJI) && npm pack --silent $(EMOJI_PACKAGE)@$(EMOJI_VERSION))
	python3 data/emoji.py $(EMOJI)/$(EMOJI_PACKAGE)-$(EMOJI_VERSION).tgz $(EMOJI)/pictures
	@echo "train on them: vae-gpu train --data $(EMOJI)/pictures"

# The whole suite on each adapter of this machine, and a table of results.
test-adapters: adapter toolchain
	./tests/adapters.sh test

# The command under a launcher of MPI, which is installed on Debian. MPICH is tested beside Open MPI where it is there: what was generated
# from one's header is made anew for the other.
MPI_PACKAGES := openmpi-bin libopenmpi-dev libclang-dev
test-mpi: adapter toolchain
	@command -v mpicc >/dev/null && command -v mpirun >/dev/null || { \
	    command -v apt-get >/dev/null || { echo "install an MPI with its compiler, and libclang"; exit 1; }; \
	    echo "installing $(MPI_PACKAGES)"; sudo=; [ $$(id -u) = 0 ] || sudo=sudo; \
	    $$sudo apt-get install -y --no-install-recommends $(MPI_PACKAGES); }
	cargo clippy --all-targets --features faults,mpi -- -D warnings
	cargo test --features faults,mpi --test mpi --test ranks
	@if command -v mpicc.mpich >/dev/null && command -v mpirun.mpich >/dev/null; then \
	    set -x; cargo clean -p mpi-sys; \
	    MPICC=mpicc.mpich VAE_GPU_MPIRUN=mpirun.mpich cargo test --features faults,mpi --test mpi; status=$$?; \
	    cargo clean -p mpi-sys; exit $$status; \
	else echo "skipped: there is no MPICH beside it (apt install mpich libmpich-dev)"; fi

# Every pipeline through the compilers of real cards, browsers and Windows, without a card. `tests/compilers.sh --install`
# fetches them.
test-compilers: toolchain
	./tests/compilers.sh

# The script of the page that `vae-gpu explore` writes, by ESLint, which npm fetches.
lint-page:
	@command -v npx >/dev/null || { echo "npx is missing: install Node.js from https://nodejs.org and try again"; exit 1; }
	npx --yes eslint@9 --config tests/eslint.config.mjs src/explore/page/*.js

# Other programs' view of our files, in Python: ONNX, safetensors and TensorBoard events.
test-python: PYTHON := $(CURDIR)/target/python
test-python: adapter
	test -x $(PYTHON)/bin/python || python3 -m venv $(PYTHON)
	$(PYTHON)/bin/pip install --quiet -r tests/python/requirements.txt
	VAE_GPU_REQUIRE=python VAE_GPU_PYTHON=$(PYTHON)/bin/python cargo test --test export --test tracking -- onnxruntime tensorboard

# Fuzzes every reader but that of Parquet, for this many seconds each. Needs cargo-fuzz and a nightly compiler. A file of a few kilobytes
# may not allocate more than 128 MiB in one piece; a TIFF decoder allocates up to 256, which it does not touch. A thread
# that ends while the sanitizer looks seems to leak, so leak detection is off.
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

# Licences, sources and versions of every crate and, if the list can be fetched, known vulnerabilities.
deny: toolchain
	@cargo deny --version >/dev/null 2>&1 || { echo "cargo-deny is missing: cargo install cargo-deny"; exit 1; }
	cargo deny check licenses sources bans
	@if cargo deny fetch db >/dev/null 2>&1; then cargo deny check advisories; \
	    else echo "the list of advisories cannot be fetched: not checked"; fi

# The crate as the registry gets it: its size, and whether it compiles by itself. The second also installs it, which takes a
# release build.
package: toolchain
	./tests/package.sh
install-package: adapter
	./tests/package.sh install

# Manual pages and completions, in target/assets; and a Debian package with them, in target/debian.
assets: toolchain
	cargo build --release
	./.github/assets.sh target/release/vae-gpu
deb: assets
	@cargo deb --version >/dev/null 2>&1 || { echo "cargo-deb is missing: cargo install cargo-deb"; exit 1; }
	cargo deb --no-build

# What changed in the library's interface since BASE, a git revision, and whether the version says so; and the interface.
BASE := main
semver: toolchain
	@cargo semver-checks --version >/dev/null 2>&1 || \
	    { echo "cargo-semver-checks is missing: cargo install cargo-semver-checks"; exit 1; }
	@git rev-parse --quiet --verify "$(BASE)^{commit}" >/dev/null || \
	    { echo "there is no revision $(BASE): name one, as in: make semver BASE=v0.2.0"; exit 1; }
	cargo semver-checks --default-features --baseline-rev $(BASE)
public-api: toolchain
	@cargo public-api --version >/dev/null 2>&1 || \
	    { echo "cargo-public-api is missing: cargo install cargo-public-api"; exit 1; }
	@rustup toolchain list | grep -q '^nightly' || \
	    { echo "a nightly compiler is missing: rustup toolchain install nightly --profile minimal"; exit 1; }
	cargo public-api -sss

# The tests that need no device and no foreign code, under Miri, which detects undefined behaviour. Without the aliasing
# rules: zlib-rs, a compressor that only tests use, breaks them. The crate has no unsafe code there.
miri: toolchain
	MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-disable-stacked-borrows" PROPTEST_CASES=1 \
	    cargo +nightly miri test --lib -- $(MIRI_TESTS)
# Miri would take an hour for a gzip bomb.
MIRI_TESTS := --skip gzip_bomb plan:: model::layout data::idx data::npy data::csv error:: run::metrics train::schedule

# Mutates the computing code piece by piece, and lists in target/mutants.out the mutants that no test catches. A full
# run takes days: MUTANTS selects a part, such as MUTANTS="-f src/data/csv.rs" or MUTANTS="--shard 3/50".
mutants: adapter toolchain
	@cargo mutants --version >/dev/null 2>&1 || { echo "cargo-mutants is missing: cargo install cargo-mutants"; exit 1; }
	nice -n 19 cargo mutants --jobs 1 --copy-target true --output target $(MUTANTS)

# Half an hour of training, monitored from outside.
soak: adapter
	cargo build --release
	python3 benches/soak.py

# A GPU adapter; Mesa's software one if there is none.
adapter: toolchain
	@./tests/install-adapter.sh

toolchain:
	@command -v cargo >/dev/null || { echo "Rust is missing: install it from https://rustup.rs and try again"; exit 1; }

bench: adapter
	cargo bench

# This program compared with PyTorch, JAX and burn. A peer that cannot be installed or built is reported as such.
peers: PEERS := benches/peers
peers: adapter
	python3 -m venv $(PEERS)/.venv
	-xargs -n 1 $(PEERS)/.venv/bin/pip install --quiet < $(PEERS)/requirements.txt
	-cargo build --release --locked --manifest-path $(PEERS)/burn/Cargo.toml
	cargo build --release
	$(PEERS)/.venv/bin/python $(PEERS)/compare.py

# All about this machine's adapter in one go: the tests, then check, bench, tune, training, and PyTorch if it sees the card,
# appended to benches/RESULTS.md under the adapter's name.
card: adapter
	cargo test --features faults
	cargo build --release
	./benches/card.sh

check: adapter
	cargo run --release -- check

clean:
	cargo clean
