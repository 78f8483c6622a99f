#!/bin/sh
# Tests this machine's other adapters: OpenGL if wgpu finds it, SwiftShader if Chromium brings it, a newer Mesa if
# `newer-mesa.sh --install` installed one.
#   adapters.sh       `vae-gpu check` on each, beside the adapter that `cargo test` chooses
#   adapters.sh test  the whole test suite on every adapter, including that one, and a table of results
set -eu

features="${FEATURES:-faults}"
gl="VAE_GPU_BACKENDS=gl"
swiftshader=/usr/lib/chromium/vk_swiftshader_icd.json

# Building the tests builds the program too; `cargo build` would compile wgpu again with fewer features of naga.
cargo test --quiet --features "$features" --no-run
target="${CARGO_TARGET_DIR:-target}"
program="$target/debug/vae-gpu"

# The variable that sets cargo's test runner; its name contains the target.
runner="CARGO_TARGET_$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')_RUNNER"
newer="$(cd "$(dirname "$0")" && pwd)/newer-mesa.sh"

# Reports that an adapter is missing, and exits if VAE_GPU_REQUIRE lists it (tests/common/skip.rs).
missing() {
    case ",$(echo "${VAE_GPU_REQUIRE:-}" | tr -d ' ')," in
    *",$1,"*)
        echo "VAE_GPU_REQUIRE requires $1, but there is no such adapter" >&2
        exit 1
        ;;
    *) echo "skipped: $1: there is no such adapter" ;;
    esac
}

# Calls `$1 NAME VARIABLE=VALUE ..` for each other adapter.
others() {
    if [ -n "$(env "$gl" "$program" devices 2>/dev/null)" ]; then
        "$1" OpenGL "$gl"
    else
        missing gl
    fi
    if [ -e "$swiftshader" ]; then
        "$1" SwiftShader VAE_GPU_BACKENDS=vulkan VK_DRIVER_FILES="$swiftshader"
    else
        missing swiftshader
    fi
    if [ -d "${NEWER_MESA:-${XDG_CACHE_HOME:-$HOME/.cache}/vae-gpu/newer-mesa}" ] && [ "$(id -u)" = 0 ]; then
        # A program with MPI wants its libraries, which that system may lack.
        if "$newer" "$program" --version >/dev/null 2>&1; then
            "$1" NewerMesa "$runner=$newer"
        else
            echo "skipped: NewerMesa: the program does not start in that system; without MPI it does: FEATURES=faults $0"
        fi
    fi
}

# Runs the program with one argument, under these variables, by the runner if they set one.
run() {
    argument="$1"
    shift
    env "$@" sh -c "exec \${$runner:-} \"\$0\" $argument" "$program"
}

seen=0
check() {
    echo "== $1"
    shift
    run check "$@"
    seen=$((seen + 1))
}

logs="$target/adapters"
failed=0
# Tests that cannot run here print `skipped: why`; `--show-output` shows that.
suite() {
    name="$1"
    shift
    echo "== $name: $(run devices "$@" 2>/dev/null | sed -n '/<- auto/s/ *<- auto//p')"
    log="$logs/$name.log"
    if ! env "$@" CARGO_TERM_COLOR=never cargo test --features "$features" --no-fail-fast -- --show-output >"$log" 2>&1; then
        failed=$((failed + 1))
        grep -E '^test .*FAILED|^error' "$log" || true
        echo "all of it is in $log"
    fi
    grep '^skipped: ' "$log" | sort -u || true
    seen=$((seen + 1))
}

# One line per test binary and one column per log: passed / failed / skipped, seconds. A binary without a result
# crashed.
table() {
    awk '
        FNR == 1 { close_suite(); n += 1; name = FILENAME; sub(/.*\//, "", name); sub(/\.log$/, "", name); adapter[n] = name }
        /^ +Running / { close_suite(); suite = $2 == "unittests" ? $3 : $2; open = 1; skipped = 0 }
        /^ +Doc-tests / { close_suite(); suite = "documentation"; open = 1; skipped = 0 }
        /^skipped: / { skipped += 1 }
        # Documentation tests may give two results.
        /^test result: / {
            seconds = $NF; sub(/s$/, "", seconds)
            add($4 - skipped, $6, $8 + skipped, seconds)
            skipped = 0; open = 0
        }
        function add(p, f, s, t) {
            if (!(suite in known)) { known[suite] = 1; order[++suites] = suite }
            at = suite SUBSEP n
            passed[at] += p; broken[at] += f; left[at] += s; time[at] += t
            all_passed[n] += p; all_broken[n] += f; all_left[n] += s; all_time[n] += t
            have[at] = 1
        }
        function close_suite() {
            if (open) { add(0, 0, 0, 0); died[suite SUBSEP n] = 1 }
            open = 0
        }
        function cell(p, f, s, t) { return sprintf("%d / %d / %d, %.1f s", p, f, s, t) }
        END {
            close_suite()
            line = sprintf("%-24s", "passed / failed / skipped"); 
            for (i = 1; i <= n; i++) line = line sprintf(" | %-22s", adapter[i])
            print line
            for (j = 1; j <= suites; j++) {
                line = sprintf("%-25s", order[j])
                for (i = 1; i <= n; i++) {
                    at = order[j] SUBSEP i
                    text = have[at] ? cell(passed[at], broken[at], left[at], time[at]) : "not run"
                    if (died[at]) text = "died"
                    line = line sprintf(" | %-22s", text)
                }
                print line
            }
            line = sprintf("%-25s", "all")
            for (i = 1; i <= n; i++)
                line = line sprintf(" | %-22s", cell(all_passed[i], all_broken[i], all_left[i], all_time[i]))
            print line
        }' "$@"
}

case "${1:-check}" in
check)
    others check
    echo "$seen further adapters checked"
    ;;
test)
    rm -rf "$logs"
    mkdir -p "$logs"
    suite Default
    others suite
    table "$logs"/*.log
    if [ "$failed" -gt 0 ]; then
        echo "$failed of $seen adapters have failures" >&2
        exit 1
    fi
    ;;
*)
    echo "usage: adapters.sh [check | test]" >&2
    exit 2
    ;;
esac
