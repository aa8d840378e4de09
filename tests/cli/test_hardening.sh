#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The program as the linker left it, and the service file: if this fails, an error in our code or in a library is easier
# to turn into a break-in than it has to be (docs/security.md).
# usage: tests/cli/test_hardening.sh path/to/penstock
set -u
penstock=$(realpath "$1")
root=$(cd "$(dirname "$0")/../.." && pwd)
failures=0

fail() {
    echo "FAIL: $*" >&2
    failures=$((failures + 1))
}

header=$(readelf -hW "$penstock") segments=$(readelf -lW "$penstock") dynamic=$(readelf -dW "$penstock")
has() { grep -qE -- "$2" <<<"$1" || fail "$3"; }
lacks() { ! grep -qE -- "$2" <<<"$1" || fail "$3"; }

has "$header" 'Type: +DYN' "not position-independent: its addresses are known beforehand"
has "$dynamic" 'FLAGS_1.*PIE' "not linked with -pie"
has "$segments" 'GNU_RELRO' "no RELRO: tables of function addresses stay writable"
has "$dynamic" 'BIND_NOW|FLAGS_1.*NOW' "no BIND_NOW: RELRO covers a part of the tables only"
has "$segments" 'GNU_STACK.* RW ' "the stack is executable, or nothing says that it is not"
lacks "$segments" 'LOAD.* RWE ' "a segment is both writable and executable"
lacks "$dynamic" 'TEXTREL' "code is patched when it is loaded"
lacks "$dynamic" 'RPATH|RUNPATH' "looks for libraries where it was built"
# In our own code, floor by floor: what is linked in from elsewhere has them whether we do or not.
for floor in base core flow ingest cli; do
    calls=$(nm -u "$(dirname "$penstock")/libpenstock_$floor.a" 2>/dev/null)
    has "$calls" ' __stack_chk_fail' "no stack protector in $floor"
    has "$calls" ' __(memcpy|snprintf|vsnprintf|read|memset)_chk' "no _FORTIFY_SOURCE in $floor"
done

unit=$root/scripts/penstock@.service
grep -q '^Type=notify$' "$unit" || fail "the service does not say when it is ready"
exposure=measured
if command -v systemd-analyze >/dev/null; then
    # An exposure of 30 is the limit, on systemd's scale of 0 to 100 here.
    report=$(systemd-analyze security --offline=true --threshold=30 --no-pager "$unit" 2>&1) ||
        fail "the service is too exposed: $(grep -v '✓' <<<"$report" | tail -n 12)"
else
    exposure=unknown
    for line in NoNewPrivileges=yes ProtectSystem=strict DynamicUser=yes CapabilityBoundingSet= SystemCallFilter=@system-service; do
        grep -qxF "$line" "$unit" || fail "the service lacks $line"
    done
fi
[ $failures -eq 0 ] || exit 1
if [ "$exposure" = measured ]; then
    echo "hardened"
else
    echo "hardened, but how exposed the service is was not measured: systemd-analyze is not here"
    exit 77 # a skipped test
fi
