#!/bin/sh
# Packs the crate as the registry takes it, and checks what comes out.
#   package.sh size      the size of the .crate
#   package.sh           the same, and `cargo check` of the unpacked crate in an empty folder, offline, with its own lockfile
#   package.sh install   the same, and `cargo install` of it into an empty folder; the program must draw MNIST's mean
set -eu
cd "$(dirname "$0")/.."

# The registry takes no more, in bytes.
most=10485760
what="${1:-check}"
case "$what" in size | check | install) ;; *)
    echo "usage: package.sh [size | check | install]" >&2
    exit 2
    ;;
esac

cargo package --quiet --locked --no-verify --allow-dirty
target="$(cd "${CARGO_TARGET_DIR:-target}" && pwd)"
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)"
crate="$target/package/vae-gpu-$version.crate"
size="$(wc -c <"$crate")"
echo "$crate: $((size)) bytes of $most, $(tar tzf "$crate" | wc -l | tr -d ' ') files"
if [ "$size" -gt "$most" ]; then
    echo "the registry refuses it; the largest files are:" >&2
    tar tvzf "$crate" | awk '{ print $3, $NF }' | sort -rn | head -n 10 >&2
    echo "pack a file better, or name it in \`exclude\` of Cargo.toml" >&2
    exit 1
fi
[ "$what" != size ] || exit 0

# Outside of the checkout, so that none of its files can stand in for one that is not packed.
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
tar xzf "$crate" -C "$folder"
# What is built of the dependencies stays for the next time.
export CARGO_TARGET_DIR="$target/package/build"
cd "$folder/vae-gpu-$version"
cargo check --quiet --locked --offline
cargo check --quiet --locked --offline --no-default-features --lib
echo "the unpacked crate compiles, with its command and without"
[ "$what" = install ] || exit 0

cargo install --quiet --locked --offline --path . --root "$folder/installed" --no-track
cd "$folder"
"$folder/installed/bin/vae-gpu" --version
"$folder/installed/bin/vae-gpu" data mnist --picture mean.png
test -s mean.png
echo "the installed program works"
