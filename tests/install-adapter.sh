#!/bin/sh
# Makes sure that Vulkan has a driver: if there is none and the package manager is known, installs Mesa's software
# driver. In continuous integration (CI=true) also installs the OpenGL one, so that both are tested.
set -u

drivers() {
    ls /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json /usr/local/share/vulkan/icd.d/*.json \
        "${VK_DRIVER_FILES:-/nonexistent}" 2>/dev/null
}

case "$(uname -s)" in
    Linux) ;;
    # Metal and DX12 are part of the system.
    *) exit 0 ;;
esac
[ -n "$(drivers)" ] && [ "${CI:-}" != true ] && exit 0
[ -n "$(drivers)" ] && ldconfig -p | grep -q libEGL.so.1 && exit 0

root=
[ "$(id -u)" = 0 ] || root=sudo
if command -v apt-get >/dev/null; then
    packages=mesa-vulkan-drivers
    [ "${CI:-}" = true ] && packages="$packages libegl1 libgles2 libgl1-mesa-dri"
    $root apt-get update -qq
    # shellcheck disable=SC2086 # several words are several packages
    DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq $packages
elif command -v dnf >/dev/null; then
    $root dnf install -y mesa-vulkan-drivers
elif command -v pacman >/dev/null; then
    $root pacman -S --noconfirm vulkan-swrast
elif command -v zypper >/dev/null; then
    $root zypper install -y Mesa-vulkan-drivers || $root zypper install -y libvulkan_lvp
elif command -v apk >/dev/null; then
    $root apk add mesa-vulkan-swrast
fi
[ -n "$(drivers)" ] && exit 0
echo "No Vulkan driver was found and none could be installed." >&2
echo "Install your card's driver, or Mesa's software one (package mesa-vulkan-drivers or vulkan-swrast)." >&2
exit 1
