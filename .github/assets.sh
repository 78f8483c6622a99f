#!/bin/sh
# Writes the manual pages and completions of a program into target/assets: assets.sh target/release/vae-gpu
set -eu
program="${1:?usage: assets.sh PROGRAM}"
mkdir -p target/assets/completions
"$program" man --out target/assets/man
"$program" completions bash >target/assets/completions/vae-gpu.bash
"$program" completions zsh >target/assets/completions/_vae-gpu
"$program" completions fish >target/assets/completions/vae-gpu.fish
