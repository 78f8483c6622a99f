# vae-gpu on the CPU, by Mesa's software Vulkan: for machines without a GPU, and for a look.
#
#     docker build -t vae-gpu .
#     docker run --rm vae-gpu check
#     docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" vae-gpu train --data wine.csv
#
# With a card of AMD or Intel, `--device /dev/dri` hands it to the container, and Mesa drives it.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY shaders shaders
COPY data/mnist data/mnist
COPY README.md LICENSE-MIT LICENSE-APACHE ./
# Declared in Cargo.toml, and read when it is parsed.
COPY benches/kernels.rs benches/reading.rs benches/step.rs benches/
COPY tests/faults.rs tests/limits.rs tests/
# The compiler of C that zstd needs comes with the image.
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends libvulkan1 mesa-vulkan-drivers \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /source/target/release/vae-gpu /usr/local/bin/
COPY LICENSE-MIT LICENSE-APACHE data/README.md /usr/share/doc/vae-gpu/
# Mesa's device selection looks for a display and complains where there is none. Caches have a place whoever the user is.
ENV NODEVICE_SELECT=1 XDG_CACHE_HOME=/tmp/cache XDG_RUNTIME_DIR=/tmp
WORKDIR /work
ENTRYPOINT ["vae-gpu"]
