# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What every script here shares: where things lie, how they speak, how a step's noise is kept.
# Sourced, never run. Messages go to stderr, results to stdout, as the binary itself does it.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034  # used by the scripts that source this
deps=$root/.deps
self=${0##*/}

say() { printf '%s: %s\n' "$self" "$*" >&2; }
die() {
    say "$*"
    exit 1
}
usage_error() {
    say "$* (see scripts/$self --help)"
    exit 2
}

# --help is the comment block at the top of the script, so that the two cannot disagree.
print_help() {
    sed -n '3,${/^#/!q;s/^# \{0,1\}//;p}' "$0"
}

# What a test found that holds once and for all: a record lost or doubled once in two runs was lost or
# doubled, a worker that a signal ended once crashed. `broken` of tests/integration/lib.sh and
# tests/chaos/report.py say so in these words. Status 1 where the log has none.
broken_promises() { # broken_promises LOG
    grep -hE 'BROKEN PROMISE: ' "$1" | sort -u
}

# Tests whose own program a signal ended, as ctest says it. Status 1 where the log has none.
crashed_tests() { # crashed_tests LOG
    grep -hE 'Test +#[0-9]+: .*\*\*\*Exception: ' "$1" | sort -u
}

# What each test said that failed, if only at its first try: its promise or its failure, cmocka's with file and line, a
# sanitizer's summary; where it said none of that, its last lines.
failed_why() { # failed_why LOG
    awk '
        function tell() {
            if (within && !told) for (i = lines > 3 ? lines - 3 : 0; i < lines; i++) print last[i % 3]
            within = told = lines = 0
        }
        /^ *([0-9]+\/[0-9]+ )?Test +#[0-9]+: / {
            tell()
            within = /\*\*\*(Failed|Exception|Timeout)/
            if (within) print
            next
        }
        /^ +Start +[0-9]+: |^[0-9]+% tests passed, / { tell() }
        !within || /^ *$/ { next }
        /: FAILED: |BROKEN PROMISE: |FAIL: |\[  ERROR   \] |: error: |: runtime error: |(ERROR|SUMMARY|WARNING): [A-Za-z]+Sanitizer/ {
            if (told++ < 12) print
            next
        }
        { last[lines++ % 3] = $0 }
        END { tell() }' "$1"
}

seconds_since() { printf '%d s' $((SECONDS - $1)); }

# Package clients print where they download from; the reader needs what failed, not which mirror.
without_hosts() { sed -E 's#[a-z]+://[^/ "]+#(registry)#g'; }

# run_logged LOG COMMAND…: all output to LOG; on failure its tail and its path.
run_logged() {
    local log=$1 status=0
    shift
    mkdir -p "$(dirname "$log")"
    # 9 is where a script holds its lock: nothing that it starts may keep it.
    "$@" >"$log" 2>&1 </dev/null 9>&- || status=$?
    if [ "$status" -ne 0 ]; then
        tail -n 25 "$log" | without_hosts | sed 's/^/    /' >&2
        say "failed with status $status: $1 ${2-} … (whole log: $log)"
    fi
    return "$status"
}
