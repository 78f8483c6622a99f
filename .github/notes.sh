#!/bin/sh
# Prints the section of a version from CHANGELOG.md, without its heading: notes.sh 0.2.0
set -eu
cd "$(dirname "$0")/.."
awk -v heading="## [${1:?usage: notes.sh VERSION}]" '
    /^## / { inside = index($0, heading) == 1; next }
    /^\[.*\]: / { next }
    inside' CHANGELOG.md
