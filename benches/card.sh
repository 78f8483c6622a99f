#!/usr/bin/env bash
# Measures this machine's adapter and appends a section to benches/RESULTS.md under its name: check, bench, tune, and one epoch
# of training; with a PyTorch that sees a GPU, the same model's steps there. Run by `make card`, after the tests.
# `card.sh --quick` makes short measurements; RESULTS names another file; VAE_GPU_DEVICE another adapter.
set -euo pipefail
cd "$(dirname "$0")/.."
quick="${1:-}"
results="${RESULTS:-benches/RESULTS.md}"
program=target/release/vae-gpu
[ -x "$program" ] || { echo "card.sh: build the program first: cargo build --release" >&2; exit 1; }
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

section() {
    printf '\n%s\n\n```text\n' "$1"
    cat "$2"
    printf '```\n'
}

# A failure of one part is reported in its place: the others are still worth having.
part() {
    title="$1" file="$work/$2"
    shift 2
    echo "card.sh: $title" >&2
    if ! "$@" >"$file" 2>"$file.stderr"; then
        printf 'failed: %s\n' "$*" >>"$file"
        tail -n 5 "$file.stderr" >>"$file"
    fi
    section "$title" "$file"
}

cuda() {
    python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null
}

name="$("$program" devices | sed -n 's/^[0-9]* \(.*[^ ]\) *<- auto$/\1/p' | head -n 1)"
{
    printf '\n## %s\n\n' "${VAE_GPU_DEVICE:-$name}"
    printf 'Measured on %s by `make card`, vae-gpu %s, %s.\n' "$(date -u +%Y-%m-%d)" \
        "$("$program" --version | cut -d ' ' -f 2)" "$(sed -n 's/^model name.*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)"
    part "Adapters:" devices "$program" devices
    part "Every kernel against its reference, the last lines:" check sh -c "$program check | tail -n 3"
    part "Ceilings, a step, products:" bench "$program" bench $quick
    part "Tuning the default model:" tune "$program" tune
    part "784-200-200-50 tanh, batch 20:" step20 "$program" bench --step --hidden 200,200 --latent 50 --activation tanh --batch-size 20
    part "The same, batch 1024:" step1024 "$program" bench --step --hidden 200,200 --latent 50 --activation tanh --batch-size 1024
    part "One epoch:" train "$program" train --epochs 1 --out "$work/run"
    if cuda; then
        for mode in eager-cuda compile-cuda; do
            part "PyTorch on the same card, $mode:" $mode python3 benches/peers/torch_vae.py $mode
        done
    fi
} >"$work/section"
cat "$work/section" >>"$results"
echo "card.sh: appended to $results" >&2
