#!/bin/sh
# Training by 1, 2, .. ranks with a thread of llvmpipe each, in turns, and the sum of gradients beside MPI's own:
#   cargo build --release --features mpi && cargo bench --features mpi --bench sums --no-run
#   benches/ranks.sh target/release/vae-gpu "$(ls -t target/release/deps/sums-* | grep -v '\.d$' | head -n 1)" [ranks [rounds]]
# An idle machine has one core a rank. The speed is that of the last line within SECONDS of a process, start-up left out.
# shellcheck disable=SC2086 # the words of $args are meant
set -eu
program="$(realpath "$1")"
sums="$(realpath "$2")"
ranks="${3:-1 2}"
rounds="${4:-3}"
seconds="${SECONDS_EACH:-35}"
launcher="${MPIRUN:-mpirun}"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
export LP_NUM_THREADS=1 NODEVICE_SELECT=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_odls_base_sigkill_timeout=5

uptime
for round in $(seq "$rounds"); do
    for args in "--batch-size 1024" "--preset conv-mnist" "--batch-size 128"; do
        for size in $ranks; do
            launch=""
            [ "$size" = 1 ] || launch="$launcher -n $size"
            speed="$(timeout --signal=TERM "$seconds" $launch "$program" train $args --epochs 1000 --out "$folder/run" --force 2>&1 |
                grep -o '[0-9]* images/s' | tail -n 1)"
            echo "round $round  $size ranks  $args  $speed"
        done
    done
done
for size in 2 4; do
    for words in 1000 100000 1000000 8000000 34500000; do
        "$launcher" -n "$size" "$sums" "$words"
    done
done
uptime
