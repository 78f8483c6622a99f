#!/bin/sh
# The program on each card of tests/shim.sh: it lists the card, plans for it, and refuses to train on a device that computes
# nothing.
set -eu
cd "$(dirname "$0")/../.."
cargo build --quiet --features faults
program="${CARGO_TARGET_DIR:-target}/debug/vae-gpu"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
run="$folder/run"
failed=0

# Checks that a command on a card ends with an exit code and says something.
expect() {
    code=$1 words=$2 card=$3
    shift 3
    said="$(./tests/shim.sh "$card" "$program" "$@" 2>&1)" && found=0 || found=$?
    if [ "$found" != "$code" ] || ! echo "$said" | grep -q "$words"; then
        echo "$card: $1 ended with $found, not $code, or does not say \"$words\":" >&2
        echo "$said" | tail -n 5 >&2
        right=0 failed=1
    fi
}

while read -r card <&3; do
    right=1
    expect 0 "<- auto" "$card" devices
    expect 0 "^a step: " "$card" explain
    expect 1 "computes nothing" "$card" train --epochs 1 --out "$run"
    if [ -e "$run" ]; then
        echo "$card: a run was made" >&2
        rm -r "$run"
        right=0 failed=1
    fi
    [ "$right" = 0 ] || echo "$card: devices, explain and train end as they should"
done 3<tests/compilers/cards
exit "$failed"
