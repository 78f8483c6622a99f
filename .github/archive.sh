#!/usr/bin/env bash
# Packs what `cargo build --profile dist --target TARGET` has built into target/archives: the program with its manual pages,
# completions and licences, and its debug information apart.  archive.sh TARGET
set -euo pipefail
cd "$(dirname "$0")/.."

target="${1:?usage: archive.sh TARGET}"
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)"
built="target/$target/dist"
name="vae-gpu-$version-$target"
program=vae-gpu
[[ "$target" != *windows* ]] || program=vae-gpu.exe

rm -rf target/archives "target/stage"
folder="target/stage/$name"
debug="target/stage/$name-debug"
mkdir -p target/archives "$folder" "$debug"
cp "$built/$program" "$folder/"
case "$target" in
*linux*)
    objcopy --only-keep-debug "$built/$program" "$debug/$program.debug"
    [ ! -e "$built/$program.dwp" ] || cp "$built/$program.dwp" "$debug/"
    strip "$folder/$program"
    # Debuggers look for it beside the program.
    (cd "$debug" && objcopy --add-gnu-debuglink="$program.debug" "../$name/$program")
    ;;
*darwin*)
    cp -R "$built/$program.dSYM" "$debug/"
    strip "$folder/$program"
    ;;
*windows*) cp "$built/vae_gpu.pdb" "$debug/" ;;
esac

./.github/assets.sh "$folder/$program"
cp -R target/assets/man target/assets/completions "$folder/"
cp README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE "$folder/"
# MNIST is part of the program, under a licence of its own.
cp data/README.md "$folder/MNIST.md"
for made in "$name" "$name-debug"; do
    if [[ "$target" == *windows* ]]; then
        (cd target/stage && 7z a -bso0 "../archives/$made.zip" "$made")
    else
        tar czf "target/archives/$made.tgz" -C target/stage "$made"
    fi
done
ls -l target/archives
