#!/bin/sh
# Every pipeline through the compilers of real cards, browsers and Windows, on a machine that has none of them. Nothing is
# computed, but in the browser: this finds errors, spilled registers, and changed figures. What is absent is skipped, and said.
#   compilers.sh --install   fetches what the other call looks for: Debian unstable's Mesa with its shims (debootstrap, as root,
#                            600 MB), Dawn's Tint (npm's webgpu), DXC (a library in PyPI's compushady)
#   compilers.sh             asks every compiler that is there
# shellcheck disable=SC2086 # the words of $tests are meant
set -eu
cd "$(dirname "$0")/.."

cache="${XDG_CACHE_HOME:-$HOME/.cache}/vae-gpu/compilers"
mesa="${NEWER_MESA:-${XDG_CACHE_HOME:-$HOME/.cache}/vae-gpu/newer-mesa}"
tint="$cache/tint"
dxc="$cache/dxc"
webgpu=0.6.2
compushady=0.17.5

install() {
    if [ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null; then
        ./tests/shim.sh --install
    else
        echo "no cards: Debian's debootstrap, as root, installs Mesa's drivers"
    fi
    if command -v npm >/dev/null; then
        mkdir -p "$tint"
        npm install --silent --no-audit --no-fund --prefix "$tint" "webgpu@$webgpu"
    else
        echo "no Tint: Node.js has npm, which installs it"
    fi
    if command -v pip3 >/dev/null && command -v c++ >/dev/null; then
        mkdir -p "$dxc"
        pip3 download --quiet --no-deps --no-binary :all: --dest "$dxc" "compushady==$compushady"
        tar xzf "$dxc/compushady-$compushady.tar.gz" -C "$dxc" --strip-components 1
        library="$(find "$dxc" -name 'libdxcompiler_x86_64.so*' | head -n 1)"
        headers="$(dirname "$(find "$dxc" -name dxcapi.h | head -n 1)")"
        ln -sf "$library" "$(dirname "$library")/libdxcompiler.so.3.7"
        c++ -std=c++17 -O1 -I "$headers" -o "$dxc/compile" tests/compilers/dxc.cpp "$library" \
            -Wl,-rpath,"$(dirname "$library")"
    else
        echo "no DXC: it takes pip3 and a compiler of C++"
    fi
}

case "${1:-}" in
--install)
    install
    exit
    ;;
"") ;;
*)
    echo "usage: compilers.sh [--install]" >&2
    exit 2
    ;;
esac

failed=0
# Runs a compiler's command: `try NAME COMMAND ..`.
try() {
    echo "== $1"
    shift
    "$@" || failed=1
}
absent() {
    echo "skipped: $1: tests/compilers.sh --install fetches it"
}
tests="cargo test --quiet --features faults --test"

try "AMD, by this system's RADV" $tests compilers -- --show-output radv
try "spirv-val" $tests validators -- --show-output spirv
if [ "$(id -u)" = 0 ] && ls "$mesa"/usr/lib/*/lib*_noop_drm_shim.so >/dev/null 2>&1; then
    try "AMD, NVIDIA, Apple and Adreno, by Mesa's drivers" $tests compilers -- --ignored --show-output every_card
    try "the program on each card" ./tests/compilers/program.sh
else
    absent "AMD, NVIDIA, Apple and Adreno, by Mesa's drivers over shims, as root"
fi

shaders="$(mktemp -d)"
trap 'rm -rf "$shaders"' EXIT
VAE_GPU_COMPILERS_SHADERS="$shaders" $tests compilers -- --ignored --exact write_shaders >/dev/null
if [ -d "$tint/node_modules/webgpu" ]; then
    cp tests/compilers/tint.mjs "$tint/"
    try "browsers, by Tint" node "$tint/tint.mjs" "$shaders"
else
    absent Tint
fi
try "the default model, trained in Chromium" $tests explore -- --ignored --show-output
if [ -x "$dxc/compile" ]; then
    try "Windows, by DXC" "$dxc/compile" "$shaders"
else
    absent DXC
fi
exit "$failed"
