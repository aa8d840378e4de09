# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# How every test here begins: sourced with path/to/penstock as $1, it goes to a folder of its own.
set -u
penstock=$(realpath "$1")
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
    echo "FAIL: $*" >&2
    failures=$((failures + 1))
}
err_has() { grep -qF -- "$1" err || fail "stderr lacks '$1': $(head -n 3 err)"; }
