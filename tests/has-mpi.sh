#!/bin/sh
# Ends well where the feature `mpi` builds and runs: an MPI with its compiler and its launcher, and libclang.
command -v mpicc >/dev/null && command -v mpirun >/dev/null || exit 1
[ -z "${LIBCLANG_PATH:-}" ] || exit 0
for library in /usr/lib*/libclang*.so* /usr/lib/*/libclang*.so* /usr/lib/llvm-*/lib/libclang*.so*; do
    [ ! -e "$library" ] || exit 0
done
exit 1
