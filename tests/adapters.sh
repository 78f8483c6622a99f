#!/bin/sh
# `vae-gpu check` on every adapter that this machine has beside the one of the tests: OpenGL where wgpu finds it,
# SwiftShader where Chromium brings it.
set -eu

# The tests' own build makes the program too; `cargo build` would compile wgpu again with fewer features of naga.
cargo test --quiet --no-run
program="${CARGO_TARGET_DIR:-target}/debug/vae-gpu"

tested=0
check() {
    echo "== $1"
    shift
    env "$@" "$program" check
    tested=$((tested + 1))
}

if [ -n "$(VAE_GPU_BACKENDS=gl "$program" devices 2>/dev/null)" ]; then
    check "OpenGL" VAE_GPU_BACKENDS=gl
fi
for driver in /usr/lib/chromium/vk_swiftshader_icd.json; do
    if [ -e "$driver" ]; then
        check "SwiftShader" VAE_GPU_BACKENDS=vulkan VK_DRIVER_FILES="$driver"
    fi
done
echo "$tested further adapters checked"
