#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The first thing that a newcomer runs: if this fails, the quickstart does not run, does not find what it planted, or
# promises of its embedded broker what only a real Kafka does.
# usage: tests/cli/test_quickstart.sh path/to/penstock
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

"$penstock" help | grep -q "^  quickstart " || { echo "no Kafka in this build: no quickstart" && exit 0; }

code=0
timeout 100 "$penstock" quickstart --rows 20000 --time 0s >out 2>err </dev/null || code=$?
[ $code -eq 0 ] || fail "exit code $code: $(tail -n 3 err)"
# The default seed plants what its detector finds, without a false alarm.
last=$(tail -n 1 out)
[[ $last =~ ^found\ ([0-9]+)\ of\ ([0-9]+)\ planted\ anomalies,\ [0-9,]+\ false\ alarms\ in\ 20,000\ events$ ]] ||
    fail "the closing line: $last"
found=${BASH_REMATCH[1]:-0} planted=${BASH_REMATCH[2]:-0}
[ "$planted" -gt 0 ] && [ "$found" -eq "$planted" ] || fail "found $found of $planted"
[ "$(grep -c '^ANOMALY ' out)" -ge "$((found < 14 ? found : 14))" ] || fail "anomalies are not shown: $(grep -c ANOMALY out)"
for missing in "fences nobody" "no offsets of transactions" "filters no aborted records" "needs a real Kafka"; do
    grep -qF "embedded broker is honest about its limits" out && grep -qF "$missing" out || fail "not told: $missing"
done
# A script beside it that is asked without what it needs says how it is used.
"$root/scripts/kafka" groups describe >out 2>err && fail "groups describe without a group succeeds"
grep -q "which group?" err && ! grep -q "line [0-9]" err || fail "groups describe without a group: $(cat err)"
# What it prints to start from is a pipeline file.
"$penstock" quickstart --print >job.yaml 2>err || fail "--print: $(cat err)"
"$penstock" check job.yaml >out 2>err || fail "--print is no pipeline file: $(cat err)"

[ $failures -eq 0 ] && echo "quickstart: all passed"
exit $((failures > 0))
