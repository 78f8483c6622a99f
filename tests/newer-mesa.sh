#!/bin/sh
# Runs a command under the Mesa of Debian's unstable release, which may be years newer than the system's: in a folder
# with such a system (600 MB, made by debootstrap), as root, with the project and /tmp mounted at their paths.
#   newer-mesa.sh --install                          makes the folder, $NEWER_MESA or vae-gpu/newer-mesa in the user's cache folder
#   newer-mesa.sh target/release/vae-gpu bench       runs a program that was built outside
#   CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER=$PWD/tests/newer-mesa.sh cargo test
set -eu

root="${NEWER_MESA:-${XDG_CACHE_HOME:-$HOME/.cache}/vae-gpu/newer-mesa}"
project=$(cd "$(dirname "$0")/.." && pwd)

case "${1:-}" in
"")
    echo "usage: newer-mesa.sh --install | COMMAND .." >&2
    exit 2
    ;;
--install)
    mkdir -p "$root"
    exec debootstrap --variant=minbase \
        --include=mesa-vulkan-drivers,libvulkan1,libegl1,spirv-tools,glslang-tools sid "$root"
    ;;
esac
if [ ! -d "$root/usr/share/vulkan" ]; then
    echo "newer-mesa.sh: there is no system in $root; make one with --install" >&2
    exit 1
fi
export VK_DRIVER_FILES=/usr/share/vulkan/icd.d/lvp_icd.json
mkdir -p "$root$project"
# The mounts belong to this process, and end with it.
# shellcheck disable=SC2016 # the inner shells expand these
exec unshare --mount sh -c '
    root="$1" project="$2" here="$3"
    shift 3
    mount --rbind /dev "$root/dev"
    mount --rbind /proc "$root/proc"
    mount --bind /tmp "$root/tmp"
    mount --bind "$project" "$root$project"
    exec chroot "$root" sh -c "cd \"\$0\" && exec \"\$@\"" "$here" "$@"
' newer-mesa "$root" "$project" "$PWD" "$@"
