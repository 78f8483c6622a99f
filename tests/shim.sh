#!/bin/sh
# Runs a command on a card's real driver, without the card: over a kernel driver that does nothing. Pipelines compile, and
# nothing computes. As root, in the system of `newer-mesa.sh`.
#   shim.sh --install            adds Debian unstable's mesa-drm-shim to that system
#   shim.sh CARD COMMAND ..      runs a program that was built outside
# CARD is amd:polaris10 (vega10, navi21, navi31, gfx1201, ..), nvidia:162 (a chipset of nouveau's, in hexadecimal), apple, or
# adreno:750.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root="${NEWER_MESA:-${XDG_CACHE_HOME:-$HOME/.cache}/vae-gpu/newer-mesa}"
shims=/usr/lib/x86_64-linux-gnu
drivers=/usr/share/vulkan/icd.d

usage="usage: shim.sh --install | CARD COMMAND .."
card="${1:?$usage}"
if [ "$card" = --install ]; then
    [ -d "$root/usr/share/vulkan" ] || "$here/newer-mesa.sh" --install
    # By the lists that the system was made from, so that the versions agree.
    exec chroot "$root" apt-get install -y -qq --no-install-recommends mesa-drm-shim
fi
shift
: "${1:?$usage}"
if ! ls "$root$shims"/lib*_noop_drm_shim.so >/dev/null 2>&1; then
    echo "shim.sh: there are no shims in $root; add them with --install" >&2
    exit 1
fi
part="${card#*:}"
case $card in
amd:*) shim=amdgpu driver=radeon variable="AMDGPU_GPU_ID=$part" ;;
nvidia:*) shim=nouveau driver=nouveau variable="NOUVEAU_CHIPSET=$part" ;;
apple) shim=asahi driver=asahi variable=NODEVICE_SELECT=1 ;;
adreno:*) shim=freedreno driver=freedreno variable="FD_GPU_ID=$part" ;;
*)
    echo "shim.sh: unknown card $card" >&2
    exit 2
    ;;
esac
# The variables are for the command alone: the shim would hide the machine's own devices from the mounts.
exec "$here/newer-mesa.sh" env "LD_PRELOAD=$shims/lib${shim}_noop_drm_shim.so" "$variable" NODEVICE_SELECT=1 \
    MESA_SHADER_CACHE_DISABLE=true VAE_GPU_BACKENDS=vulkan "VK_DRIVER_FILES=$drivers/${driver}_icd.json" "$@"
